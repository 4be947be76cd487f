"""Costs against values worked out by hand or by loops."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.testing import assert_close

from armillary.contracts.cost import (
    ASSIGNMENT,
    EFFECTOR,
    OBJECTS,
    CostContract,
    DistanceContract,
    some_goal,
    spoiled,
)
from armillary.contracts.imagined import SHAPE, SIZE, SLOTS, GivenReader, goal, rollout, view
from armillary.errors import ArmillaryError
from armillary.planners.costs import (
    Approach,
    Cost,
    Disagreement,
    Effort,
    KeepOut,
    LatentDistance,
    Limits,
    ObjectPosition,
    PixelDistance,
    Pose,
    ReadoutDistance,
    SlotMatching,
    Smoothness,
)
from armillary.world_models.goals.places import view_of
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.registry import build_model
from armillary.world_models.simulator import Goal, Rollout


@pytest.fixture
def imagined() -> Rollout:
    return rollout()


@pytest.fixture
def aim() -> Goal:
    return some_goal()


@pytest.mark.parametrize("hidden", [0, 2], ids=["object", "effector"])
@pytest.mark.parametrize(
    "cost",
    [
        SlotMatching(),
        SlotMatching(positions_weight=2.0),
        LatentDistance(),
        LatentDistance(saturation=0.1),
        ObjectPosition(),
        ObjectPosition("max"),
        Approach(),
        Approach(to="nearest", where="scene"),
        Pose(),
        ReadoutDistance(positions_weight=1.0),
    ],
    ids=str,
)
def test_where_what_the_goal_does_not_show_lies_there_means_nothing(
    cost: Cost, hidden: int, imagined: Rollout, aim: Goal
) -> None:
    shown = torch.ones_like(aim.objects)
    shown[:, hidden] = 0.0

    def costs(parked: float, shown: torch.Tensor | None) -> torch.Tensor:
        slots, positions = aim.view.slots.clone(), aim.view.positions.clone()
        slots[:, ASSIGNMENT[hidden]] = parked
        positions[:, ASSIGNMENT[hidden]] = parked
        end = view(seed=1, slots=slots, positions=positions)
        return cost(imagined, Goal(end, aim.assignment, aim.objects, aim.effector, shown=shown))

    assert torch.equal(costs(-9.0, shown), costs(-7.0, shown))
    if hidden == 0 or not isinstance(cost, (ObjectPosition, Approach, ReadoutDistance)):
        assert not torch.equal(costs(-9.0, None), costs(-9.0, shown))


def test_what_is_shown_is_not_matched_with_what_a_hidden_thing_has_left() -> None:
    """An empty slot of the goal may lie anywhere, near another thing as well."""
    end = torch.tensor([[[1.0, 0.0], [0.0, 0.3], [0.0, 0.0]]])  # A, nothing, the background
    shown = torch.tensor([[1.0, 0.0, 1.0]])
    known = Goal(
        view((1,), slots=end),
        torch.arange(3).unsqueeze(0),
        torch.tensor([[1.0, 1.0, 0.0]]),
        torch.zeros(1, 3),
        shown=shown,
    )

    def cost(place: tuple[float, float], hidden: tuple[float, float]) -> float:
        slots = torch.tensor([[place, hidden, (0.0, 0.0)]]).view(1, 1, 1, 1, 3, 2)
        return float(SlotMatching()(rollout((1, 1, 1, 1), slots=slots), known))

    assert cost((1.0, 0.0), (5.0, 5.0)) == 0.0
    assert cost((0.0, 0.3), (1.0, 0.0)) > 0.1
    assert cost((0.5, 0.0), (1.0, 0.0)) == cost((0.5, 0.0), (-3.0, 0.0)) > 0.0


class TestSlotMatching(DistanceContract):
    def make(self):
        return SlotMatching()


class TestSlotMatchingWithPositions(DistanceContract):
    def make(self):
        return SlotMatching(positions_weight=2.0)


class TestSaturatingDistance(DistanceContract):
    def make(self) -> LatentDistance:
        return LatentDistance(saturation=0.1)

    def test_one_thing_in_place_is_better_than_all_a_little_nearer(self) -> None:
        aim = some_goal()
        here, there = aim.view.slots[:, ASSIGNMENT] + 2.0, aim.view.slots[:, ASSIGNMENT]
        nearer = torch.lerp(here, there, 0.3)
        one = torch.where(torch.arange(4)[:, None] == 1, there, here)

        def cost(slots: torch.Tensor, made: LatentDistance) -> torch.Tensor:
            shown = slots[:, None, None, None].expand(*SHAPE, -1, -1)
            return made(rollout(SHAPE, slots=shown), aim)

        assert (cost(one, self.make()) < cost(nearer, self.make())).all()
        assert (cost(one, LatentDistance()) > cost(nearer, LatentDistance())).all()


class TestLatentDistance(DistanceContract):
    def make(self):
        return LatentDistance()


class TestPixelDistance(DistanceContract):
    def make(self):
        return PixelDistance()


class TestObjectPosition(DistanceContract):
    def make(self):
        return ObjectPosition()


class TestFurthestObject(DistanceContract):
    def make(self):
        return ObjectPosition("max")


class TestApproach(DistanceContract):
    def make(self):
        return Approach()


class TestApproachTheNearest(DistanceContract):
    def make(self):
        return Approach(tolerance=0.05, to="nearest")


class TestApproachFromBehind(DistanceContract):
    def make(self):
        return Approach(standoff=0.1, tolerance=0.05)


class TestApproachInTheScene(DistanceContract):
    def make(self):
        return Approach(where="scene")


class TestReadoutDistance(DistanceContract):
    def make(self) -> Cost:
        return ReadoutDistance()


class TestPose(DistanceContract):
    def make(self):
        return Pose()


class TestEffort(CostContract):
    def make(self):
        return Effort()


class TestSmoothness(CostContract):
    def make(self):
        return Smoothness()


class TestLimits(CostContract):
    def make(self):
        return Limits(low=-0.5, high=(0.3, 0.6))


def test_what_the_goal_does_not_show_is_kept_out_of_regions_as_well(
    imagined: Rollout, aim: Goal
) -> None:
    cost, shown = KeepOut([[0.2, 0.2, 0.6, 0.9]]), torch.zeros_like(aim.objects)
    hidden = Goal(aim.view, aim.assignment, aim.objects, aim.effector, shown=shown)
    assert cost(imagined, hidden).any()
    assert torch.equal(cost(imagined, hidden), cost(imagined, aim))


class TestKeepOut(CostContract):
    def make(self):
        return KeepOut([[0.2, 0.2, 0.6, 0.9], [0.0, 0.0, 1.0, 0.3]], margin=0.05)


class TestDisagreement(CostContract):
    """With two particles a rollout is that of two members."""

    def make(self):
        return Disagreement()

    @pytest.fixture
    def imagined(self) -> Rollout:
        return of_members(rollout())

    def test_gradients_are_numbers_wherever_costs_are(self, cost, imagined, aim):
        slots = imagined.slots.clone().requires_grad_()
        found = cost(of_members(rollout(slots=slots)), aim).sum()
        assert torch.autograd.grad(found, slots)[0].abs().max() > 0

    def test_candidates_do_not_depend_on_each_other(self, cost, imagined, aim):
        first = of_members(rollout((2, 1, 2, 4), slots=imagined.slots[:, :1]))
        assert torch.equal(cost(first, aim), cost(imagined, aim)[:, :1])

    def test_a_state_that_is_nan_spoils_its_own_cost_alone(self, cost, imagined, aim):
        """And that of the other member, whom it is compared with."""
        found = cost(of_members(spoiled(imagined)), aim)
        assert found.isnan().nonzero().tolist() == [[0, 1, 0, 2], [0, 1, 1, 2]]


def of_members(imagined: Rollout, members: int = 2) -> Rollout:
    return Rollout(imagined.state, imagined.shape, GivenReader(), imagined.actions, members=members)


def test_disagreement_is_the_variance_of_the_means_of_members() -> None:
    aim = goal(view((1,)), [0, 1, 2, 3], OBJECTS, EFFECTOR)
    places = torch.zeros(1, 1, 4, 1, SLOTS, 2)
    places[0, 0, :, 0, 1, 0] = torch.tensor([0.0, 1.0, 0.2, 0.4])  # members 0, 1, 0, 1
    found = Disagreement("positions")(of_members(rollout((1, 1, 4, 1), positions=places)), aim)
    expected = (0.7 - 0.1) ** 2 / 4 / (SLOTS * 2)
    assert_close(found, torch.full((1, 1, 4, 1), expected))


def test_disagreement_needs_members() -> None:
    aim = goal(view((2,)), ASSIGNMENT, OBJECTS, EFFECTOR)
    with pytest.raises(ArmillaryError, match=r"several members .* 1 imagined: .*model.ensemble=5"):
        Disagreement()(rollout(), aim)
    with pytest.raises(ArmillaryError, match="unknown of 'slot'; did you mean 'slots'"):
        Disagreement("slot")


def test_regularisers_read_the_actions_by_hand() -> None:
    actions = torch.tensor([[[[0.5, -1.0], [1.0, 0.0], [1.0, 2.0]]]])
    imagined, aim = rollout((1, 1, 2, 3), actions=actions), goal(view((1,)), [0], [1.0], [0.0])
    for cost, expected in (
        (Effort(), [0.625, 0.5, 2.5]),
        (Smoothness(), [0.0, 0.625, 2.0]),
        (Limits(), [0.0, 0.0, 0.5]),
        (Limits(low=[0.75, -5], high=5), [0.03125, 0.0, 0.0]),
    ):
        assert_close(cost(imagined, aim), torch.tensor([[[expected] * 2]]))


def test_pose_counts_places_of_things_and_angles_of_objects_in_tolerances() -> None:
    """Two objects and the effector, each 0.1 too far right; a slot starts with its angle."""
    turned = torch.tensor([math.pi - 0.1, 0.2, 3.0, 1.0])
    wanted = torch.tensor([0.1 - math.pi, 0.0, 0.0, 0.0])
    seen = rollout(
        (1, 1, 1, 1),
        positions=line(0.3, 0.5, 0.7, 0.9)[None, None, None],
        slots=turned[:, None].expand(1, 1, 1, 1, 4, SIZE),
    )
    shown = view((1,), positions=line(0.2, 0.4, 0.6, 0.0), slots=wanted[:, None].expand(1, 4, SIZE))
    aim = goal(shown, [0, 1, 2, 3], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0])
    found = Pose(place=0.1, angle=0.2)(seen, aim).item()
    assert found == pytest.approx(3 * 1.0 + 1.0 + 1.0, rel=1e-4)


def test_pose_lets_the_effector_be_away_for_what_it_moves() -> None:
    def found(away: float, leave: float) -> float:
        seen = rollout(
            (1, 1, 1, 1),
            positions=line(0.3, 0.5, 0.7 + away, 0.9)[None, None, None],
            slots=torch.zeros(1, 1, 1, 1, 4, SIZE),
        )
        shown = view((1,), positions=line(0.2, 0.5, 0.7, 0.9), slots=torch.zeros(1, 4, SIZE))
        aim = goal(shown, [0, 1, 2, 3], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0])
        return Pose(place=0.1, leave=leave)(seen, aim).item()

    assert found(0.2, 0.0) == pytest.approx(1.0 + 4.0, rel=1e-4)
    assert found(0.2, 2.0) == pytest.approx(1.0 + 2.0 * math.log(3.0), rel=1e-4)
    assert found(0.0, 2.0) == pytest.approx(1.0, rel=1e-4)


def test_pose_knows_of_learned_slots_what_their_model_tells() -> None:
    settings = {"image_size": 32, "action_size": 2, "num_slots": 3}
    frames = [{"image": np.full((32, 32, 3), 200, np.uint8)}] * 2
    future = torch.zeros(2, 4, 5, 2, requires_grad=True)

    def scored(**more: object) -> Tensor:
        model = build_model("slot_dynamics", **settings, **more)
        simulator = LatentSimulator(model, "cpu")
        state = simulator.observe(None, np.zeros((2, 2), np.float32), frames)
        goals = [{"goal_image": one["image"]} for one in frames]
        return Pose()(simulator.rollout(state, future), simulator.goal(state, goals))

    for more in ({}, {"content_units": "variance"}, {"orientation_weight": 1.0}):
        cost = scored(**more)
        assert cost.shape == (2, 4, 1, 5)
        assert cost.isfinite().all()
        (gradient,) = torch.autograd.grad(cost.sum(), future)
        assert gradient.isfinite().all()
    other = build_model("rssm", image_size=32, action_size=2)
    with pytest.raises(ArmillaryError, match="Rssm does not tell how things lie"):
        other.orientations(other.observe(None, torch.zeros(1, 2), torch.zeros(1, 3, 32, 32)))


def test_keep_out_is_the_squared_depth_of_things_in_a_region() -> None:
    places, anywhere = line(0.3, 0.95, 0.45, 0.5), line(0.0, 0.0, 0.0, 0.0)
    arguments = single(places, anywhere, [1.0, 1.0, 0.0, 0.0])
    regions = [[0.2, 0.0, 0.5, 1.0]]
    assert_close(KeepOut(regions, "objects")(*arguments).item(), 0.1**2 / 2)
    assert_close(KeepOut(regions, "effector")(*arguments).item(), 0.05**2)
    assert_close(KeepOut(regions)(*arguments).item(), (0.1**2 + 0.05**2) / 3)
    assert_close(KeepOut(regions, "objects", margin=0.05)(*arguments).item(), 0.15**2 / 2)
    assert KeepOut()(*arguments).item() == 0
    # Widened on all sides: things beside it on the right and on the left.
    arguments = single(line(0.6, 0.1, 0.0, 0.0), anywhere, [1.0, 1.0, 0.0, 0.0])
    for margin, depths in ((0.05, (0.0, 0.0)), (0.15, (0.05, 0.05)), (0.3, (0.2, 0.2))):
        expected = sum(depth**2 for depth in depths) / 2
        found = KeepOut(regions, "objects", margin=margin)(*arguments).item()
        assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_slot_matching_is_the_best_assignment(imagined: Rollout, aim: Goal, weight: float) -> None:
    found = SlotMatching(positions_weight=weight)(imagined, aim)
    for index in ((0, 1, 0, 3), (1, 2, 1, 0)):
        slots, there = imagined.slots[index], aim.view.slots[index[0]]
        distance = (slots[:, None] - there[None]).square().mean(-1)
        offsets = imagined.positions[index][:, None] - aim.view.positions[index[0]][None]
        distance = distance + weight * offsets.square().mean(-1)
        rows, columns = linear_sum_assignment(distance.numpy())
        assert_close(found[index], distance[rows, columns].mean())


def test_slot_matching_ignores_the_order_of_slots_and_latent_distance_does_not(
    imagined: Rollout, aim: Goal
) -> None:
    shuffled = rollout(slots=imagined.slots[..., [3, 1, 0, 2], :])
    assert_close(SlotMatching()(shuffled, aim), SlotMatching()(imagined, aim))
    assert not torch.allclose(LatentDistance()(shuffled, aim), LatentDistance()(imagined, aim))


def test_slot_matching_is_exact_where_slots_are_large_and_close() -> None:
    """Differences of squared norms would cancel to noise here."""
    there = 100 + torch.rand(1, SLOTS, SIZE, generator=torch.Generator().manual_seed(0))
    near = (there + 1e-3)[:, None, None, None]
    aim = goal(view((1,), slots=there), ASSIGNMENT, OBJECTS, EFFECTOR)
    cost = SlotMatching()(rollout((1, 1, 1, 1), slots=near), aim)
    assert_close(cost, torch.full_like(cost, 1e-6), rtol=0.05, atol=0)


def test_latent_distance_follows_the_assignment(imagined: Rollout, aim: Goal) -> None:
    found = LatentDistance()(imagined, aim)
    expected = (imagined.slots[1, 2, 0, 1] - aim.view.slots[1, ASSIGNMENT]).square().mean()
    assert_close(found[1, 2, 0, 1], expected)


def test_pixel_distance_is_a_mean_squared_error(aim: Goal) -> None:
    frames = (aim.view.frames + 0.5)[:, None, None, None].expand(*SHAPE, -1, -1, -1)
    assert_close(PixelDistance()(rollout(frames=frames), aim), torch.full(SHAPE, 0.25))


def test_only_pixel_costs_decode() -> None:
    for cost in (SlotMatching(), LatentDistance(), PixelDistance(), ObjectPosition(), Approach()):
        reader = GivenReader()
        imagined = rollout(reader=reader)
        aim = goal(view(reader=reader), ASSIGNMENT, OBJECTS, EFFECTOR)
        cost(imagined, aim)
        assert (reader.decoded > 0) == isinstance(cost, PixelDistance)


def line(*places: float) -> Tensor:
    """Slots at (place, 0.5): positions (1, K, 2)."""
    return torch.tensor([[[place, 0.5] for place in places]])


def single(start: Tensor, end: Tensor, objects: list[float]) -> tuple[Rollout, Goal]:
    """One state with slots at ``start``; the goal has them at ``end`` in reverse order."""
    imagined = rollout((1, 1, 1, 1), positions=start[:, None, None, None])
    there = view((1,), positions=end.flip(1))
    return imagined, goal(there, [3, 2, 1, 0], objects, [0.0, 0.0, 1.0, 0.0])


def test_object_position_reads_the_objects_alone() -> None:
    start, end = line(0.1, 0.2, 0.9, 0.0), line(0.4, 0.3, 0.0, 1.0)
    arguments = single(start, end, [1.0, 1.0, 0.0, 0.0])
    assert_close(ObjectPosition()(*arguments).item(), (0.09 + 0.01) / 2)
    assert_close(ObjectPosition("max")(*arguments).item(), 0.09)
    arguments = single(start, end, [0.0, 1.0, 0.0, 0.0])
    assert_close(ObjectPosition()(*arguments).item(), 0.01)


def test_approach_draws_the_effector_to_the_object_furthest_from_its_goal() -> None:
    start, end = line(0.1, 0.2, 0.9, 0.0), line(0.4, 0.3, 0.0, 1.0)
    arguments = single(start, end, [1.0, 1.0, 0.0, 0.0])
    assert_close(Approach()(*arguments).item(), 0.8**2)
    # The slot that is neither object nor effector is further, and left out.
    arguments = single(start, end, [0.0, 1.0, 0.0, 0.0])
    assert_close(Approach()(*arguments).item(), 0.7**2)


def test_approach_deals_with_the_nearest_and_counts_the_others() -> None:
    start, end = line(0.1, 0.2, 0.9, 0.4), line(0.4, 0.3, 0.9, 0.5)
    arguments = single(start, end, [1.0, 1.0, 0.0, 1.0])
    assert_close(Approach(to="nearest")(*arguments).item(), 0.5**2 + 2.0)
    assert_close(Approach(to="nearest", tolerance=0.11)(*arguments).item(), 0.8**2)
    assert Approach(to="nearest", tolerance=0.31)(*arguments).item() == 0.0
    with pytest.raises(ArmillaryError, match=r"unknown to 'next'.*furthest, nearest"):
        Approach(to="next")


def test_approach_in_the_scene_goes_by_handles() -> None:
    start, end = line(0.1, 0.2, 0.9, 0.0), line(0.4, 0.3, 0.0, 1.0)
    seen, aim = single(start, end, [1.0, 1.0, 0.0, 0.0])
    handles = seen.handles
    offsets = handles[0, 0, 0, 0] - aim.handles[0]
    furthest = int(offsets[:2].square().sum(-1).argmax())
    way = handles[..., aim.effector[0].argmax(), :] - handles[..., furthest, :]
    assert_close(Approach(where="scene")(seen, aim), way.square().sum(-1))
    with pytest.raises(ArmillaryError, match=r"unknown where 'space'.*image, scene"):
        Approach(where="space")


def test_approach_in_the_scene_leads_to_what_a_goal_in_words_names() -> None:
    start, end = line(0.1, 0.2, 0.9, 0.0), line(0.4, 0.3, 0.0, 1.0)
    seen, aim = single(start, end, [1.0, 1.0, 0.0, 0.0])
    said = replace(aim, view=view_of(aim.view.positions))
    apart = aim.offsets(seen.positions)[0, 0, 0, 0].square().sum(-1)
    furthest = int(apart[:2].argmax())
    way = seen.handles[..., aim.effector[0].argmax(), :] - seen.handles[..., furthest, :]
    for standoff in (0.0, 1.2):
        cost = Approach(where="scene", standoff=standoff)(seen, said)
        assert_close(cost, way.square().sum(-1))


def test_approach_can_lead_behind_the_object() -> None:
    start, end = line(0.5, 0.2, 0.9, 0.0), line(0.8, 0.2, 0.0, 1.0)
    arguments = single(start, end, [1.0, 1.0, 0.0, 0.0])
    assert_close(Approach(standoff=0.1)(*arguments).item(), 0.5**2)


def test_behind_is_on_the_line_from_the_goal_through_the_object() -> None:
    start = torch.tensor([[[0.5, 0.5], [0.2, 0.1], [0.9, 0.9], [0.0, 0.0]]])
    end = torch.tensor([[[0.8, 0.9], [0.2, 0.1], [0.0, 0.0], [0.0, 0.0]]])
    arguments = single(start, end, [1.0, 1.0, 0.0, 0.0])
    found = Approach(standoff=0.1)(*arguments).item()
    assert found == pytest.approx((0.9 - 0.44) ** 2 + (0.9 - 0.42) ** 2)


def test_readouts_are_far_in_units_of_actions_until_they_saturate() -> None:
    start, end = torch.zeros(2, 1, 4, 5)
    end[0, :2, 1:3] = torch.tensor([[0.3, 0.4], [3.0, 4.0]])
    seen, objects = rollout((1, 1, 1, 1), slots=start[None, None, None]), torch.zeros(1, 4)
    objects[0, :2] = 1.0
    aim = Goal(view((1,), slots=end), torch.arange(4).unsqueeze(0), objects, 0 * objects)
    assert ReadoutDistance()(seen, aim).item() == pytest.approx((0.25 + 25.0) / 2)
    saturated = ReadoutDistance(saturation=0.25)(seen, aim).item()
    assert saturated == pytest.approx((0.5 + 25.0 / 25.25) / 2)


def test_readouts_may_be_told_heights_by_the_image() -> None:
    start, end = line(0.1, 0.2, 0.9, 0.0), line(0.4, 0.2, 0.9, 0.0)
    seen, aim = single(start, end, [1.0, 1.0, 0.0, 0.0])
    plain = ReadoutDistance()(seen, aim)
    assert_close(ReadoutDistance(positions_weight=2.0)(seen, aim), plain + 2.0 * 0.3**2 / 2)


def test_approach_lets_go_where_every_object_is_at_its_goal() -> None:
    start, end = line(0.5, 0.2, 0.9, 0.0), line(0.55, 0.2, 0.0, 1.0)
    arguments = single(start, end, [1.0, 1.0, 0.0, 0.0])
    assert Approach(tolerance=0.06)(*arguments).item() == 0
    assert Approach(tolerance=0.04)(*arguments).item() > 0
    assert Approach()(*single(end, end, [1.0, 1.0, 0.0, 0.0])).item() == 0


@pytest.mark.parametrize("cost", [ObjectPosition(), Approach()], ids=str)
def test_a_problem_without_objects_costs_nothing(cost: Cost, imagined: Rollout, aim: Goal) -> None:
    objects = aim.objects.clone()
    objects[1] = 0
    costs = cost(imagined, Goal(aim.view, aim.assignment, objects, aim.effector))
    assert (costs[1] == 0).all()
    assert torch.equal(costs[0], cost(imagined, aim)[0])
    assert (costs[0] > 0).all()


def test_without_an_effector_nothing_has_to_approach(imagined: Rollout, aim: Goal) -> None:
    effector = aim.effector.clone()
    effector[1] = 0
    costs = Approach()(imagined, Goal(aim.view, aim.assignment, aim.objects, effector))
    assert (costs[1] == 0).all()
    assert torch.equal(costs[0], Approach()(imagined, aim)[0])


def test_inside_its_region_an_object_is_at_its_goal(imagined: Rollout, aim: Goal) -> None:
    sizes = (2.0 * torch.ones(SHAPE[0], 4, 2), torch.zeros(SHAPE[0], 4, 2))
    wide, point = (
        Goal(aim.view, aim.assignment, aim.objects, aim.effector, halves) for halves in sizes
    )
    assert not ObjectPosition()(imagined, wide).any()
    assert torch.equal(ObjectPosition()(imagined, point), ObjectPosition()(imagined, aim))
    rows = torch.tensor([1])
    assert torch.equal(
        ObjectPosition()(imagined.index(rows), wide.index(rows)),
        ObjectPosition()(imagined, wide)[rows],
    )


@pytest.mark.parametrize("cost", [ObjectPosition(), Approach(), KeepOut()], ids=str)
def test_positions_need_a_model_that_segments(cost: Cost, imagined: Rollout, aim: Goal) -> None:
    nothing = torch.zeros(SHAPE[0], 1)
    whole = Goal(aim.view, aim.assignment[:, :1], nothing, nothing)
    with pytest.raises(ValueError, match="sees every scene as one slot; take the latent or"):
        cost(imagined, whole)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="positions_weight must be at least 0, got -1"):
        SlotMatching(positions_weight=-1)
    with pytest.raises(ValueError, match="saturation must be at least 0, got -1"):
        ReadoutDistance(saturation=-1)
    with pytest.raises(ValueError, match="positions_weight must be at least 0, got -1"):
        ReadoutDistance(positions_weight=-1)
    with pytest.raises(ValueError, match="standoff must be at least 0, got -1"):
        Approach(standoff=-1)
    with pytest.raises(ValueError, match="tolerance must be at least 0, got -1"):
        Approach(tolerance=-1)
    with pytest.raises(ValueError, match=r"margin must be at least 0, got -0\.1"):
        KeepOut(margin=-0.1)
    with pytest.raises(ValueError, match="low must not be above high, got 1 and 0"):
        Limits(1, 0)
    with pytest.raises(ValueError, match="unknown things 'hand'"):
        KeepOut(things="hand")
    with pytest.raises(
        ValueError, match=r"x0, y0, x1, y1\] with x0 < x1 .* got \[0.5, 0, 0.5, 1\]"
    ):
        KeepOut([[0.5, 0, 0.5, 1]])
    with pytest.raises(ValueError, match="a number or 2, one per action dimension, got 3"):
        Limits(low=[0, 0, 0])(rollout(), some_goal())
    with pytest.raises(ValueError, match="unknown reduction 'maxi'; did you mean 'max'"):
        ObjectPosition(reduction="maxi")
