"""Success against evaluations: which rows are on the front, and where points lie."""

from __future__ import annotations

from armillary.experiments.pages.success.pareto import HEIGHT, WIDTH, Pareto, Point


def point(name: str, evaluations: float, rate: float) -> Point:
    return Point(name, f"model {name}", "cem", evaluations, rate, (rate, rate))


def test_the_front_has_what_nothing_beats_in_both() -> None:
    rows = [
        *(point("a", 10, 0.5), point("worse", 20, 0.4), point("b", 20, 0.6)),
        *(point("c", 1000, 0.9), point("same", 2000, 0.9), point("dear", 900, 0.55)),
    ]
    assert [one.name for one in Pareto(rows).front] == ["a", "b", "c"]
    assert [mark.best for mark in Pareto(rows).marks] == [True, False, True, True, False, False]


def test_points_lie_on_a_logarithmic_scale_inside_the_canvas() -> None:
    pareto = Pareto([point("a", 1, 0.0), point("b", 10, 0.5), point("c", 100, 1.0)])
    xs, ys = [mark.x for mark in pareto.marks], [mark.y for mark in pareto.marks]
    assert abs((xs[1] - xs[0]) - (xs[2] - xs[1])) < 1e-6
    assert ys == sorted(ys, reverse=True)
    assert all(0 < x < WIDTH for x in xs)
    assert all(0 < y < HEIGHT for y in ys)
    assert [name for _, name in pareto.x_ticks] == ["1", "10", "100"]


def test_points_of_one_place_stand_side_by_side_and_models_differ_in_colour() -> None:
    marks = Pareto([point("a", 10, 0.5), point("b", 10, 0.5)]).marks
    assert marks[0].x < marks[1].x
    assert marks[0].color != marks[1].color
    assert marks[0].shape == marks[1].shape
