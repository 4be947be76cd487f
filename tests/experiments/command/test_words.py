"""Words without ``key=`` set the keys that a verb takes by position."""

from __future__ import annotations

import pytest

from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.verbs import parsed


def keys(positional: list[str], *words: str) -> dict[str, object]:
    return {o.key_or_group: o.value() for o in parsed("verb", positional, words)}


def test_single_words_take_their_places_wherever_they_stand() -> None:
    assert keys(["real", "made"], "a.h5", "seed=1", "b c.h5") == {
        "real": "a.h5",
        "made": "b c.h5",
        "seed": 1,
    }
    assert keys(["real", "made"], "a.h5") == {"real": "a.h5"}
    assert keys(["real", "made"], "real=a.h5", "made=b.h5") == {"real": "a.h5", "made": "b.h5"}


def test_the_last_place_may_take_all_further_words() -> None:
    assert keys(["runs..."], "runs/a", "it's", "output=page.html") == {
        "runs": ["runs/a", "it's"],
        "output": "page.html",
    }
    assert keys(["kind", "runs..."], "x", "a") == {"kind": "x", "runs": ["a"]}
    assert keys(["kind", "runs..."], "x") == {"kind": "x"}
    assert keys(["runs..."], "runs=[a,b]") == {"runs": ["a", "b"]}


def test_a_path_with_an_equals_sign_is_a_path() -> None:
    assert keys(["real"], "./a=b.h5", "x=1") == {"real": "./a=b.h5", "x": 1}


@pytest.mark.parametrize(
    ("positional", "words", "message"),
    [
        (["real", "made"], ["a", "b", "c d"], "takes REAL MADE and then key=value; 'c d' is one"),
        (["real"], ["a", "real=b"], "real is given twice"),
        (["runs..."], ["a", "b", "runs=[c]"], "runs is given twice"),
        ([], ["a"], "'a' is no key=value"),
    ],
)
def test_mistakes(positional: list[str], words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parsed("verb", positional, words)
