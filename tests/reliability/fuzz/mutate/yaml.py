"""Damages YAML: other values as in JSON, and what only YAML and OmegaConf know."""

from __future__ import annotations

from random import Random

from yaml import safe_dump, safe_load

from tests.reliability.fuzz.mutate import raw, values

_TOKENS = (
    *("${seed}", "${x.y}", "${oc.env:HOME}", "${oc.env:NO_SUCH_NAME}", "${", "${a:${b}}", "???"),
    *("${oc.decode:'[1'}", "${hydra:runtime.cwd}", "${.a}", "${..a}", "${now:%Y}", "\\${x}"),
    *("&a x", "*a", "&a [*a]", "{<<: *a}", "<<: x", "!!python/object:os.system {}", "!!binary x"),
    *("!!set {a, b}", "!!timestamp x", "!!int x", "!!float 1_0", "!!null ''", "!x y", "!!omap []"),
    *("? [a, b]\n: c", "? {a: b}\n: c", "1: 2", "null: 2", "true: 1", "1.5: x", "2026-01-01: x"),
    *("1:30", "0o17", "0x1f", "1_000", ".nan", "-.inf", "1e5", "2026-01-01", "2026-13-45"),
    *(
        "|\n  x",
        ">-\n  x",
        "'",
        '"',
        '"\\ud800"',
        "\t",
        "- - -",
        "---\na: 1\n---\nb: 2",
        "...",
        "@",
    ),
    *("%YAML 9.9\n---\na", "[[[[", "{{{{", "]", ": :", "#", "a: b: c", "\ufeff", "\x07", "\x85"),
)
_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n"
    for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)
"""A few lines of aliases that stand for a thousand million values."""


def damaged(random: Random, content: bytes) -> bytes:
    """YAML that means something else, or nothing."""
    kind = random.random()
    if kind < 0.15:
        return raw.damaged(random, content)
    if kind < 0.16:
        return content + _LAUGHS.encode()
    if kind < 0.5:
        return _token(random, content)
    tree = values.damaged(random, safe_load(content))
    if kind < 0.75 and values.DEEP not in str(tree) and values.LONG not in str(tree):
        return safe_dump(tree, allow_unicode=bool(random.getrandbits(1))).encode(
            "utf-8", "surrogatepass"
        )
    return values.text(tree).replace('"\x01', '"').encode("utf-8", "surrogatepass")


def _token(random: Random, content: bytes) -> bytes:
    """One value, key or line replaced by something that YAML reads in a way of its own."""
    lines = content.decode().splitlines()
    number = random.randrange(len(lines))
    token = random.choice(_TOKENS)
    key, colon, _ = lines[number].partition(":")
    indent = key[: len(key) - len(key.lstrip())]
    lines[number] = random.choice(
        (
            f"{key}{colon} {token}",
            f"{indent}{token}: 1",
            f"{indent}{token}",
            f"{lines[number]}\n{lines[number]}",
            f"{lines[number]}\n{indent}  {token}",
            f" {lines[number]}",
        )
    )
    return "\n".join(lines).encode("utf-8", "surrogatepass")
