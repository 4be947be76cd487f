"""The style sheet of a page: one column on a phone, light and dark as the reader's system asks."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfbf9; --card: #ffffff; --ink: #1f2124; --quiet: #62656b; --rule: #e2e2dc;
  --color1: #0b66a8; --color2: #c2530a; --color0: #8b8d92; --range: #9cc3e2;
  --color3: #0f8060; --color4: #a3338b; --color5: #8a6d00; --color6: #5b4bc4;
  --color7: #b3263a; --color8: #35788a; --good: #0b6b4f; --warn: #f6e7c8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181b; --card: #1e2125; --ink: #e8e8e4; --quiet: #a3a6ac; --rule: #33373d;
    --color1: #6cb2ea; --color2: #f09a5c; --color0: #8b8f96; --range: #2f5f86;
    --color3: #56c9a2; --color4: #e38fd0; --color5: #d9bd4a; --color6: #a99cf5;
    --color7: #f08891; --color8: #7fc4d4; --good: #5fd0a4; --warn: #3d3320;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink); -webkit-text-size-adjust: 100%;
  overflow-wrap: break-word;
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
.highlights strong {
  display: block; font-size: 1.4rem; line-height: 1.3; overflow-wrap: anywhere;
}
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
  min-width: 0; margin: 0 0 1.2rem; background: var(--card); border: 1px solid var(--rule);
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
.line.color1 { stroke: var(--color1); } .point.color1, .band.color1 { fill: var(--color1); }
.line.color2 { stroke: var(--color2); } .point.color2, .band.color2 { fill: var(--color2); }
.line.color3 { stroke: var(--color3); } .point.color3, .band.color3 { fill: var(--color3); }
.line.color4 { stroke: var(--color4); } .point.color4, .band.color4 { fill: var(--color4); }
.line.color5 { stroke: var(--color5); } .point.color5, .band.color5 { fill: var(--color5); }
.line.color6 { stroke: var(--color6); } .point.color6, .band.color6 { fill: var(--color6); }
.line.color7 { stroke: var(--color7); } .point.color7, .band.color7 { fill: var(--color7); }
.line.color8 { stroke: var(--color8); } .point.color8, .band.color8 { fill: var(--color8); }
.point.color0 { fill: var(--color0); }
.line.dash1 { stroke-dasharray: 7 4; } .line.dash2 { stroke-dasharray: 2 4; }
.line.dash3 { stroke-dasharray: 9 3 2 3; }
.band { opacity: .16; }
g:hover > .line { stroke-width: 4; }
.crowded .point { opacity: 0; } .crowded g:hover .point { opacity: 1; }
.key { width: 1.5rem; height: .5rem; margin-right: .5rem; vertical-align: middle; }
.legend {
  list-style: none; margin: .5rem 0 0; padding: 0; display: flex; flex-wrap: wrap;
  gap: .1rem 1.1rem; font-size: .85rem;
}
.legend li { overflow-wrap: anywhere; }
.legend + .charts { margin-top: .8rem; }
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
.scroll { overflow-x: auto; margin: 0 0 1.6rem; }
.measures th, .measures td { padding-right: 1.4rem; }
.measures thead th { white-space: nowrap; }
.measures tbody th { min-width: 9rem; }
.measures td { white-space: nowrap; min-width: 7.5rem; vertical-align: top; }
.measures tbody th { vertical-align: top; }
.measures td small { display: block; }
.scale { display: block; width: 100%; min-width: 6rem; height: .7rem; }
.scale .whisker { stroke-width: 5; }
.none { color: var(--quiet); font-size: .85em; }
.best {
  color: var(--good); border: 1px solid currentColor; border-radius: 99px; font-size: .72rem;
  font-weight: 600; padding: .05rem .45rem; margin-left: .3rem; white-space: nowrap;
}
.measures.plain td { min-width: 4rem; }
.measures.plain th, .measures.plain td { padding-right: 1rem; }
.runs td { white-space: nowrap; }
.runs tbody th { min-width: 8rem; }
a { color: var(--color1); text-underline-offset: .15em; }
.warning { background: var(--warn); border-radius: 10px; padding: .7rem 1rem; margin: 1rem 0; }
.gallery {
  display: grid; gap: 1.2rem; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr));
}
.gallery figure { margin: 0; }
.gallery img { width: 100%; max-width: 30rem; }
section > h3, details > h3 { margin: 1.6rem 0 .6rem; }
details { margin: 1rem 0; }
details.large { border-top: 1px solid var(--rule); padding: .8rem 0 0; }
details.large > summary h3 { display: inline; }
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
  picture.wide { display: block; overflow-x: auto; }
  .wide img { max-width: none; width: max(100%, 34rem); }
  .measures tbody th, .measures thead th:first-child { position: sticky; left: 0; }
  .measures tbody th, .measures thead th:first-child { background: var(--paper); }
  .measures tbody th { min-width: 7rem; max-width: 9rem; }
}
"""
