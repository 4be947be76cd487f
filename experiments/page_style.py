"""The style sheet of a page: one column on a phone, light and dark as the reader's system asks."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfbf9; --card: #ffffff; --ink: #1f2124; --quiet: #62656b; --rule: #e2e2dc;
  --color1: #0b66a8; --color2: #c2530a; --color0: #8b8d92; --range: #9cc3e2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181b; --card: #1e2125; --ink: #e8e8e4; --quiet: #a3a6ac; --rule: #33373d;
    --color1: #6cb2ea; --color2: #f09a5c; --color0: #8b8f96; --range: #2f5f86;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1.1rem 4rem; }
h1 { font-size: clamp(1.7rem, 5vw, 2.4rem); line-height: 1.15; margin: 0 0 .6rem; }
h2 {
  font-size: 1.3rem; margin: 3rem 0 .6rem; padding-top: .9rem; border-top: 1px solid var(--rule);
}
h3 { font-size: 1rem; margin: 0 0 .15rem; }
p { margin: 0 0 1rem; max-width: 44rem; }
small { color: var(--quiet); font-size: .85em; font-weight: 400; }
.highlights {
  list-style: none; margin: 1.4rem 0 0; padding: 0; display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr));
}
.highlights li {
  background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: .8rem 1rem;
}
.highlights strong { display: block; font-size: 1.4rem; line-height: 1.3; white-space: nowrap; }
.highlights span { color: var(--quiet); font-size: .9rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .5rem .8rem .5rem 0; vertical-align: middle; }
tbody tr { border-top: 1px solid var(--rule); }
thead th { color: var(--quiet); font-size: .85rem; font-weight: 500; }
tbody th { font-weight: 600; overflow-wrap: anywhere; }
tbody th small { display: block; }
.results td { white-space: nowrap; }
.results .bar { width: 38%; padding: .5rem 1.6rem; }
.results .number { text-align: right; }
.results thead th:nth-last-child(-n+2) { text-align: right; }
.interval { display: block; width: 100%; height: 1.6rem; overflow: visible; }
.interval text { fill: var(--quiet); font-size: .75rem; }
.grid { stroke: var(--rule); stroke-width: 1; }
.whisker { stroke: var(--range); stroke-width: 7; stroke-linecap: round; }
.dot { fill: var(--color1); stroke: var(--card); stroke-width: 1.5; }
figure {
  margin: 0 0 1.2rem; background: var(--card); border: 1px solid var(--rule);
  border-radius: 10px; padding: 1rem;
}
figcaption p { color: var(--quiet); font-size: .95rem; margin-bottom: .8rem; }
img { display: block; max-width: 100%; height: auto; border-radius: 6px; background: #fff; }
.charts { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); }
.charts figure { margin: 0; }
.chart { display: block; width: 100%; height: auto; }
.chart text { fill: var(--quiet); font-size: 11.5px; }
.chart .name { fill: var(--ink); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.color0 { stroke: var(--color0); stroke-dasharray: 5 4; }
.line.color1 { stroke: var(--color1); } .line.color2 { stroke: var(--color2); }
.point.color0 { fill: var(--color0); } .point.color1 { fill: var(--color1); }
.point.color2 { fill: var(--color2); }
.mark { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 2 4; }
pre {
  background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: .9rem 1rem;
  overflow-x: auto; font-size: .85rem; line-height: 1.5; margin: 0 0 1rem;
}
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.facts { margin: 0 0 1.6rem; }
.facts th { width: 14rem; font-weight: 500; color: var(--quiet); }
.facts th, .facts td {
  padding: .35rem .8rem .35rem 0; vertical-align: top; overflow-wrap: anywhere;
}
summary { cursor: pointer; margin-bottom: .8rem; }
@media (max-width: 46rem) {
  .results, .results tbody, .results tfoot { display: block; }
  .results thead { display: none; }
  .results tbody tr {
    display: grid; grid-template-columns: 1fr auto; column-gap: 1rem; padding: .7rem 0;
  }
  .results tfoot tr, .results tfoot .bar { display: block; }
  .results tfoot td { display: none; }
  .results th, .results td { padding: 0; }
  .results tbody th { grid-row: span 2; }
  .results .rate, .results .range { text-align: right; }
  .results .range { color: var(--quiet); font-size: .85em; }
  .results .bar { grid-column: 1 / -1; width: auto; padding: .3rem .5rem; }
  .results .number { text-align: left; color: var(--quiet); font-size: .85em; }
  .results .number:not(:empty)::after { content: " " attr(data-name); }
  .results .number:last-child { text-align: right; }
  .facts, .facts tbody, .facts tr, .facts th, .facts td { display: block; width: auto; }
  .facts th, .facts td { padding: 0; }
  .facts tr { padding: .4rem 0; }
  figure { padding: .8rem; }
  picture { display: block; overflow-x: auto; }
  img { max-width: none; width: max(100%, 34rem); }
}
"""
