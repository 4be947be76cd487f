"""Figures tell the story in order, and mark what was seen and what was imagined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from armillary.agent.episodes import Episode
from armillary.experiments.films.drawing import with_tracks, zoom
from armillary.experiments.films.figures import Figure, plan_figure, rollout_figure, slots_figure
from armillary.experiments.films.imagination import Imagination, imagine
from armillary.experiments.palette import CONTEXT as SEEN
from armillary.experiments.palette import IMAGINED, SUCCESS, Color
from armillary.experiments.pixels import Picture, pictures
from armillary.experiments.planning.planned_episode import PlannedEpisode
from tests.experiments.films.test_drawing import find
from tests.experiments.tiny import CONTEXT, tiny_clip, tiny_model

SIDE = 64
ClipFigures = tuple[Imagination, dict[str, Figure]]


def has(picture: Picture, color: Color) -> bool:
    return bool((picture == color).all(-1).any())


@pytest.fixture(scope="module")
def clip_figures() -> ClipFigures:
    imagination = imagine(tiny_model(), tiny_clip(length=9), samples=2, seed=0)
    return imagination, {
        "rollout": rollout_figure(imagination, SIDE),
        "slots": slots_figure(imagination, SIDE),
    }


def test_a_rollout_shows_every_frame_beside_what_was_imagined(clip_figures: ClipFigures) -> None:
    imagination, figures = clip_figures
    figure = figures["rollout"]
    assert len(figure.film) == 9
    real, mean = pictures(imagination.frames), pictures(imagination.imagined.frames)
    samples = pictures(imagination.samples)
    for time, picture in enumerate(figure.film):
        (left,) = find(picture, zoom(real[time], SIDE))
        places = find(picture, zoom(mean[time], SIDE))
        assert len(places) == (3 if time < CONTEXT else 1)
        assert all(x > left[1] for _, x in places), "real is leftmost"
        if time >= CONTEXT:
            columns = [find(picture, zoom(s[time - CONTEXT], SIDE))[0][1] for s in samples]
            assert places[0][1] < columns[0] < columns[1]


@pytest.mark.parametrize("which", ["rollout", "slots"])
def test_seen_and_imagined_frames_differ_in_colour(clip_figures: ClipFigures, which: str) -> None:
    film = clip_figures[1][which].film
    assert all(has(picture, SEEN) and not has(picture, IMAGINED) for picture in film[:CONTEXT])
    assert all(has(picture, IMAGINED) for picture in film[CONTEXT:])
    sheet = clip_figures[1][which].contact_sheet
    assert has(sheet, SEEN)
    assert has(sheet, IMAGINED)


def test_slots_show_the_real_frame_and_the_models_in_both_rows(clip_figures: ClipFigures) -> None:
    imagination, figures = clip_figures
    figure = figures["slots"]
    time = 6
    picture = figure.film[time]
    real = find(picture, zoom(pictures(imagination.frames)[time], SIDE))
    (seen,) = find(picture, zoom(pictures(imagination.encoded.frames)[time], SIDE))
    (imagined,) = find(picture, zoom(pictures(imagination.imagined.frames)[time], SIDE))
    assert [y for y, _ in real] == [seen[0], imagined[0]]
    assert seen[0] < imagined[0]


def test_contact_sheets_fit_into_a_page(clip_figures: ClipFigures) -> None:
    for figure in clip_figures[1].values():
        assert 300 < figure.contact_sheet.shape[1] <= 1300
        assert max(picture.shape[1] for picture in figure.film) <= 1300


def episode(success: bool) -> PlannedEpisode:
    rng = np.random.default_rng(0)

    def frames(count: int) -> Picture:
        return rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)

    steps = 5
    happened, goal = frames(steps + 1), frames(1)[0]
    return PlannedEpisode(
        Episode(7, success, steps, happened, goal, np.zeros((steps, 2), np.float32)),
        distances=[0.3, 0.3, 0.25, 0.2, 0.1, 0.04 if success else 0.1],
        imagined=frames(steps),
        plan_ends=frames(steps),
        plan_numbers=[0, 0, 1, 1, 2],
    )


def test_a_plan_shows_what_was_expected_beside_what_happened_and_the_goal() -> None:
    played = episode(success=True)
    film = plan_figure(played, SIDE).film
    assert len(film) == 6
    for time, picture in enumerate(film):
        parts = [
            played.episode.frames[time],
            played.plan_ends[max(time - 1, 0)],
            played.episode.goal_image,
        ]
        if time:
            parts.insert(1, played.imagined[time - 1])
        columns = [find(picture, zoom(part, SIDE))[0][1] for part in parts]
        assert columns == sorted(columns)


def test_success_is_marked_where_it_happens() -> None:
    def happened(played: PlannedEpisode, time: int) -> bool:
        picture = plan_figure(played, SIDE).film[time]
        ((y, x),) = find(picture, zoom(played.episode.frames[time], SIDE))
        return tuple(picture[y - 1, x]) == SUCCESS

    assert [happened(episode(success=True), time) for time in (4, 5)] == [False, True]
    assert not happened(episode(success=False), 5)


def test_the_verdict_stands_in_the_last_picture() -> None:
    won, lost = (plan_figure(episode(success), SIDE).film for success in (True, False))
    same = [np.array_equal(one, other) for one, other in zip(won, lost, strict=True)]
    assert same == [True] * 5 + [False]
    width = min(won[-1].shape[1], lost[-1].shape[1])
    assert (won[-1][:20, :width] != lost[-1][:20, :width]).any(), "told in the title"


def test_an_episode_without_plans_or_distances_shows_what_happened_and_the_goal() -> None:
    planned = episode(success=True)
    nothing = planned.imagined[:0]
    bare = PlannedEpisode(planned.episode, [], nothing, nothing, [])
    for time, picture in enumerate(plan_figure(bare, SIDE).film):
        ((_, left),) = find(picture, zoom(planned.episode.frames[time], SIDE))
        ((_, right),) = find(picture, zoom(planned.episode.goal_image, SIDE))
        assert left < right
    assert plan_figure(bare, SIDE).contact_sheet.size


def test_what_the_search_considered_is_drawn_where_the_model_expects_it_to_go() -> None:
    planned = episode(success=True)
    start, end = (0.2, 0.5), (0.8, 0.5)
    moving = np.linspace(start, end, 4, dtype=np.float32)
    still = np.repeat(moving[:1, ::-1], 4, 0)
    tracks = np.stack((moving, still), 1)[None].repeat(3, 0)
    told = replace(planned, candidates=[tracks] * 3)
    film = plan_figure(told, SIDE).film
    assert len(film) == 6
    drawn = with_tracks(planned.episode.frames[0], tracks, SIDE)
    assert find(film[1], drawn)
    assert not find(plan_figure(planned, SIDE).film[1], drawn)
    middle = drawn[len(drawn) // 2, [round(x * len(drawn)) for x in (0.3, 0.5, 0.7)]]
    assert (np.abs(middle.astype(int) - IMAGINED) < 40).all()
    before = zoom(planned.episode.frames[0], SIDE)
    row = round(0.2 * len(drawn))
    assert np.abs(drawn[row].astype(int) - before[row]).mean() < 30, "what stays has no line"
