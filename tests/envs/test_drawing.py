"""Drawing: distances to edges, soft edges, and shapes that look alike wherever they are."""

from __future__ import annotations

import math

import numpy as np
import pytest

from armillary.envs.drawing import Shape, draw_shapes, signed_distance
from armillary.envs.shapes import SHAPES, circumradius, polygon

RADIUS = 0.12
WHITE = (1.0, 1.0, 1.0)


def shape(kind: str, x: float = 0.5, y: float = 0.5, angle: float = 0.0) -> Shape:
    return Shape(3, x, y, angle, kind, RADIUS, (0.0, 0.5, 1.0))


def distance(kind: str, *points: tuple[float, float], angle: float = 0.0) -> list[float]:
    x, y = np.array(points, np.float32).T
    return signed_distance(shape(kind, angle=angle), x, y).tolist()


def test_distances_are_those_to_the_edges() -> None:
    points = [(0.5, 0.5), (0.75, 0.5), (0.5, 0.1)]
    half = RADIUS * math.sqrt(math.pi) / 2
    apothem = RADIUS * math.sqrt(math.pi / math.sqrt(27))
    assert distance("disc", *points) == pytest.approx([-RADIUS, 0.25 - RADIUS, 0.4 - RADIUS])
    assert distance("square", *points) == pytest.approx([-half, 0.25 - half, 0.4 - half])
    # A triangle points down, and its flat side is above.
    assert distance("triangle", points[0], points[2]) == pytest.approx([-apothem, 0.4 - apothem])
    assert distance("triangle", (0.5, 0.5 + 2 * apothem)) == pytest.approx([0.0], abs=1e-6)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("angle", [0.4, -2.0])
def test_an_angle_turns_from_x_to_y(kind: str, angle: float) -> None:
    rng = np.random.default_rng(0)
    offsets = rng.uniform(-0.3, 0.3, (50, 2))
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    straight = distance(kind, *(0.5 + offsets).tolist())
    turned = distance(kind, *(0.5 + offsets @ turn).tolist(), angle=angle)
    assert turned == pytest.approx(straight, abs=1e-6)


def test_polygons_and_their_circumradius() -> None:
    half = RADIUS * math.sqrt(math.pi) / 2
    corners = sorted(np.round(polygon("square", RADIUS), 6).tolist())
    assert np.allclose(corners, sorted([a * half, b * half] for a in (-1, 1) for b in (-1, 1)))
    for kind in ("square", "triangle"):
        lengths = np.linalg.norm(polygon(kind, RADIUS), axis=1)
        assert lengths == pytest.approx(circumradius(kind, RADIUS))
    assert circumradius("disc", RADIUS) == RADIUS
    assert np.allclose(np.mean(polygon("triangle", RADIUS), axis=0), 0.0)


@pytest.mark.parametrize("kind", SHAPES)
def test_a_shape_looks_alike_wherever_it_is_and_is_cut_at_the_border(kind: str) -> None:
    middle, labels = draw_shapes([shape(kind, angle=0.3)], WHITE, 32)
    for right, down in ((8, -4), (14, 3), (-14, 15), (20, 0)):
        moved = shape(kind, 0.5 + right / 32, 0.5 + down / 32, angle=0.3)
        frame, seen = draw_shapes([moved], WHITE, 32)
        rows, columns = np.arange(32) - down, np.arange(32) - right
        inside = ((rows >= 0) & (rows < 32))[:, None] & ((columns >= 0) & (columns < 32))
        at = np.ix_(rows.clip(0, 31), columns.clip(0, 31))
        assert np.array_equal(seen, np.where(inside, labels[at], 0))
        expected = np.where(inside[..., None], middle[at], 255)
        assert np.abs(frame.astype(int) - expected).max() <= 1


def test_edges_are_as_opaque_as_they_cover() -> None:
    half = RADIUS * math.sqrt(math.pi) / 2
    frame, labels = draw_shapes([shape("square")], WHITE, 40)
    row, row_labels = frame[20].astype(int), labels[20]
    first = (0.5 - half) * 40  # the left edge, in pixels
    share = math.ceil(first) - first
    column = math.floor(first)
    assert row[column - 1].tolist() == [255, 255, 255]
    assert row[column, 0] == pytest.approx(255 * (1 - share), abs=1)
    assert row[column + 1].tolist() == [0, 128, 255]
    assert row_labels[column - 1 : column + 2].tolist() == [0, 3 if share >= 0.5 else 0, 3]
    assert set(np.unique(labels)) == {0, 3}
    assert frame.dtype == labels.dtype == np.uint8


@pytest.mark.parametrize("angle", [0.0, 1.1, -2.0])
def test_a_tee_is_its_bar_and_its_stem(angle: float) -> None:
    """Widths of 0.1: a bar of 0.4 x 0.1 and a stem of 0.1 x 0.3 below its middle."""
    tee = Shape(3, 0.5, 0.5, angle, "tee", 0.1, (0.0, 0.5, 1.0))
    inside = [(0.0, 0.05), (0.19, 0.01), (-0.19, 0.09), (0.0, 0.1), (0.04, 0.39), (-0.04, 0.2)]
    outside = [(0.0, -0.02), (0.22, 0.05), (0.06, 0.11), (-0.19, 0.11), (0.0, 0.42), (0.1, 0.3)]
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    for points, sign in ((inside, -1), (outside, 1)):
        x, y = (0.5 + np.array(points) @ turn).astype(np.float32).T
        assert (np.sign(signed_distance(tee, x, y)) == sign).all()


def test_a_tee_has_no_seam_and_covers_its_area() -> None:
    tee = Shape(3, 0.5, 0.3, 0.7, "tee", 0.1, (0.0, 0.0, 0.0))
    frame, labels = draw_shapes([tee], WHITE, 128)
    assert (labels == 3).mean() == pytest.approx(0.07, rel=0.03)
    inner = (labels == 3) & (np.roll(labels, 1, 0) == 3) & (np.roll(labels, -1, 0) == 3)
    inner &= (np.roll(labels, 1, 1) == 3) & (np.roll(labels, -1, 1) == 3)
    assert (frame[inner] < 70).all()
