"""LatentSimulator: the simulator contract, chunks, particles, roles of slots, bad input."""

from dataclasses import dataclass
from functools import cache

import gymnasium as gym
import numpy as np
import pytest
import torch

from armillary.contracts.simulator import SimulatorContract
from armillary.errors import ArmillaryError
from armillary.planners.costs import Disagreement
from armillary.planners.objective import Objective, Term
from armillary.world_models.device import resolve_device
from armillary.world_models.imagine import Budget
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.model import Losses, WorldModel
from armillary.world_models.registry import build_model
from armillary.world_models.state import LatentState, Scene

TINY = Budget(pixels=7 * 5 * 32**2, bytes=5 * 13_000)


@cache
def model():
    torch.manual_seed(0)
    built = build_model("slot_dynamics", image_size=32, action_size=2, num_slots=5)
    with torch.no_grad():  # an untrained model predicts no change
        built.get_parameter("dynamics.change.weight").normal_(0.0, 0.05)
    return built


@cache
def images():
    env = gym.make("armillary/PushBlocks-v0")
    return [env.reset(seed=seed)[0] for seed in range(3)]


class TestMean(SimulatorContract):
    def make(self):
        return LatentSimulator(model(), "cpu")

    def observations(self):
        return images()

    def test_pieces_change_nothing(self, simulator, actions):
        piecewise = LatentSimulator(model(), "cpu", budget=TINY)
        expected = self.rolled(simulator, self.observations(), actions)
        rollout = self.rolled(piecewise, self.observations(), actions)
        assert torch.allclose(rollout.slots, expected.slots, atol=1e-5)
        assert torch.allclose(rollout.frames, expected.frames, atol=1e-5)

    def test_steps_are_those_of_a_rollout(self, simulator, actions):
        rollout = self.rolled(simulator, self.observations(), actions)
        state = self.encoded(simulator, self.observations())
        for t in range(actions.shape[2]):
            state = simulator.step(state, actions[:, 1, t])
            assert torch.allclose(simulator.view(state).slots, rollout.slots[:, 1, 0, t], atol=1e-5)

    def test_gradients_reach_states_and_actions_that_want_them(self, simulator, actions):
        state = self.encoded(simulator, self.observations())
        assert not simulator.step(state, actions[:, 0, 0]).requires_grad
        moved = actions[:, 0, 0].clone().requires_grad_()
        ahead = simulator.step(state, moved).position.sum()
        assert torch.autograd.grad(ahead, moved)[0].abs().max() > 0
        wanted = state.map(lambda tensor: tensor.clone().requires_grad_())
        ahead = simulator.step(wanted, actions[:, 0, 0]).position.sum()
        assert torch.autograd.grad(ahead, wanted.content)[0].abs().max() > 0

    def test_actions_of_any_type_mean_the_same(self, simulator, actions):
        state = self.encoded(simulator, self.observations())
        expected = simulator.rollout(state, actions).slots
        assert torch.equal(simulator.rollout(state, actions.double()).slots, expected)
        one = simulator.step(state, actions[:, 0, 0].double())
        assert torch.equal(
            simulator.view(one).slots, self.view_of_step(simulator, state, actions[:, 0, 0])
        )
        whole = torch.ones_like(actions)
        assert torch.equal(
            simulator.rollout(state, whole.long()).slots, simulator.rollout(state, whole).slots
        )

    def view_of_step(self, simulator, state, actions):
        return simulator.view(simulator.step(state, actions)).slots

    @pytest.mark.parametrize("shape", [(2, 1, 4, 2), (3, 1, 4, 3), (3, 0, 4, 2), (3, 1, 0, 2)])
    def test_actions_of_another_shape_are_refused(self, simulator, shape):
        state = self.encoded(simulator, self.observations())
        goal = simulator.goal(state, self.observations())
        for ask in (
            lambda actions: simulator.rollout(state, actions),
            lambda actions: simulator.score(state, actions, None, goal),
        ):
            with pytest.raises(ArmillaryError, match=r"actions must be \(B, S, T, A\) with B = 3"):
                ask(torch.zeros(shape))
        with pytest.raises(ArmillaryError, match=r"got \(3, 1, 1, 5\)"):
            simulator.step(state, torch.zeros(3, 5))

    def test_what_an_observation_lacks_is_told(self, simulator):
        state, seen = self.encoded(simulator, self.observations()), self.observations()
        nothing = [{}] * len(seen)
        still = np.zeros((len(seen), 2), np.float32)
        for name, ask in (
            ("image", lambda: simulator.observe(None, still, nothing)),
            ("goal_image", lambda: simulator.goal(state, nothing)),
        ):
            with pytest.raises(ArmillaryError, match=f"an observation must have '{name}', got"):
                ask()
        with pytest.raises(ArmillaryError, match="an observation must have 'image'"):
            simulator.imagine([{"picture": 0}] * 9, np.zeros((9, 2), np.float32))
        with pytest.raises(ArmillaryError, match=r"got \[1, 2\] frames of 2 scenes"):
            simulator.encode([seen[:1], seen[:2]], np.zeros((2, 0, 2), np.float32))

    def test_other_weights_are_another_model(self, simulator):
        other = build_model("slot_dynamics", image_size=32, action_size=2, num_slots=5)
        assert LatentSimulator(other, "cpu").identity != simulator.identity
        other.load_state_dict(model().state_dict())
        assert LatentSimulator(other, "cpu").identity == simulator.identity

    @pytest.mark.parametrize(
        "image", [np.zeros((64, 64, 3), np.uint8), np.zeros((32, 32, 3), np.float32)]
    )
    def test_other_frames_are_refused(self, simulator, image):
        with pytest.raises(ValueError, match=r"uint8 images \(32, 32, 3\), got"):
            self.encoded(simulator, [{"image": image}])


class TestParticles(SimulatorContract):
    def make(self):
        return LatentSimulator(model(), "cpu", particles=3)

    def observations(self):
        return images()

    def test_particles_differ_and_pieces_do_not_matter(self, simulator, actions):
        rollout = self.rolled(simulator, self.observations(), actions)
        assert rollout.shape[2] == 3
        assert (rollout.slots[:, :, 0] - rollout.slots[:, :, 1]).abs().max() > 1e-3
        piecewise = LatentSimulator(model(), "cpu", particles=3, budget=TINY)
        again = self.rolled(piecewise, self.observations(), actions)
        assert torch.allclose(rollout.slots, again.slots, atol=1e-5)

    def test_generators_are_needed(self, simulator, actions):
        state = self.encoded(simulator, self.observations())
        with pytest.raises(ValueError, match="one generator per problem"):
            simulator.rollout(state, actions)


@cache
def ensemble():
    torch.manual_seed(0)
    built = build_model("slot_dynamics", image_size=32, action_size=2, num_slots=5, ensemble=3)
    with torch.no_grad():
        for member in built.members:
            member.get_parameter("dynamics.change.weight").normal_(0.0, 0.05)
    return built


class TestEnsemble(SimulatorContract):
    def make(self):
        return LatentSimulator(ensemble(), "cpu", particles=6)

    def observations(self):
        return images()

    def test_particles_are_imagined_by_the_members_in_turn(self, simulator, actions):
        rollout = self.rolled(simulator, self.observations(), actions)
        assert (rollout.shape[2], rollout.members) == (6, 3)
        state = self.encoded(simulator, self.observations())
        noise = torch.stack(
            [torch.randn(6, 3, *ensemble().noise_shape, generator=g) for g in self.generators()]
        )
        for particle in range(6):
            member = ensemble().members[particle % 3]
            for candidate in (0, 2):
                with torch.no_grad():
                    alone = member.rollout(state, actions[:, candidate], noise[:, particle])
                found = rollout.positions[:, candidate, particle]
                assert torch.allclose(found, alone.position, atol=1e-5)

    def test_pieces_do_not_matter(self, simulator, actions):
        piecewise = LatentSimulator(ensemble(), "cpu", particles=6, budget=TINY)
        rollout = self.rolled(simulator, self.observations(), actions)
        again = self.rolled(piecewise, self.observations(), actions)
        assert torch.allclose(rollout.slots, again.slots, atol=1e-5)
        assert rollout.index([1]).members == 3

    def test_a_particle_for_each_member_is_its_mean(self, actions):
        state = self.encoded(self.make(), self.observations())
        means = LatentSimulator(ensemble(), "cpu", particles=3).rollout(state, actions)
        first = LatentSimulator(ensemble(), "cpu").rollout(state, actions)
        assert (means.members, first.members) == (3, 1)
        assert torch.equal(means.slots[:, :, :1], first.slots)
        assert means.slots.var(2).max() > 1e-6

    def test_a_penalty_on_disagreement_prefers_what_members_agree_on(self, actions):
        simulator = LatentSimulator(ensemble(), "cpu", particles=3)
        state = self.encoded(simulator, self.observations())
        goal = simulator.goal(state, self.observations())
        terms = {"disagreement": Term(Disagreement())}
        scores = simulator.score(state, actions, Objective(terms), goal)
        spread = simulator.rollout(state, actions).slots.var(2, correction=0).mean((2, 3, 4))
        assert torch.allclose(scores, spread, atol=1e-7)

    @pytest.mark.parametrize("particles", [2, 4])
    def test_members_have_the_same_number_of_particles(self, particles):
        with pytest.raises(ArmillaryError, match=f"a multiple of its 3 members, got {particles}"):
            LatentSimulator(ensemble(), "cpu", particles=particles)

    def test_different_models_are_no_ensemble(self):
        class Mixed(Dots):
            @property
            def members(self):
                return (self, model())

        with pytest.raises(ArmillaryError, match="member 1 has class SlotDynamics, the first one"):
            LatentSimulator(Mixed(), "cpu")


@dataclass(frozen=True)
class DotState(LatentState):
    """Positions of three coloured dots and a background."""

    position: torch.Tensor


class Dots(WorldModel):
    """A model with known answers: the action moves the dot in slot 2; a square of 8 px is seen."""

    COLORS = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 0, 1]])

    def __init__(self):
        super().__init__(
            image_size=32,
            action_size=2,
            context_length=1,
            num_slots=4,
            slot_size=2,
            noise_shape=(),
        )

    def observe(self, state, action, frame):
        places = [torch.full((len(frame), 2), 0.5)]
        grid = (torch.arange(32) + 0.5) / 32
        for color in self.COLORS[1:]:
            seen = (frame - color[:, None, None]).abs().sum(1) < 0.1
            mass = seen.sum((1, 2)).unsqueeze(1)
            x = (seen.sum(1) * grid).sum(1, keepdim=True) / mass
            y = (seen.sum(2) * grid).sum(1, keepdim=True) / mass
            places.append(torch.cat([x, y], 1))
        return DotState(torch.stack(places, 1))

    def step(self, state, action, noise=None):
        position = state.position.clone()
        position[:, 2] += 0.1 * action
        return DotState(position)

    def slots(self, state):
        return state.position

    def decode(self, state):
        grid = (torch.arange(32) + 0.5) / 32
        offset = state.position[..., None, None] - torch.stack(
            torch.meshgrid(grid, grid, indexing="xy")
        )
        inside = (offset.abs().amax(2) < 0.125).float()
        inside[:, 0] = 1.0 - inside[:, 1:].amax(1)
        components = self.COLORS[None, :, :, None, None].expand(len(inside), -1, -1, 32, 32)
        return Scene(components, inside.unsqueeze(2))

    def loss(self, window, objective, step):
        return Losses(torch.zeros(()))


def test_slots_are_given_their_roles_and_matched_by_looks():
    places = torch.tensor([[[0.5, 0.5], [0.25, 0.25], [0.75, 0.75], [0.25, 0.75]]])
    goals = torch.tensor([[[0.5, 0.5], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]])
    dots = Dots()

    def draw(position):
        frame = dots.decode(DotState(position)).frames[0]
        return (frame * 255).byte().permute(1, 2, 0).numpy()

    simulator = LatentSimulator(dots, "cpu")
    observation = {"image": draw(places), "goal_image": draw(goals)}
    state = simulator.encode([[observation]], np.zeros((1, 0, 2), np.float32))
    goal = simulator.goal(state, [observation])
    assert goal.effector.tolist() == [[0, 0, 1, 0]]
    assert goal.objects.tolist() == [[0, 1, 0, 1]]
    assert torch.allclose(goal.positions[0, 1], goals[0, 1], atol=0.01)
    assert torch.allclose(goal.positions[0, 3], goals[0, 3], atol=0.01)


def test_what_the_goal_does_not_show_is_as_like_to_one_thing_as_to_another():
    class Hiding(Dots):
        COLORS = torch.tensor([[1.0, 1, 1], [0.15, 0.5, 0.2], [0, 0, 0], [0, 0, 1]])

        def decode(self, state):
            scene = super().decode(state)
            hidden = (state.position.abs().amax(-1) > 1.0)[:, :, None, None, None]
            return Scene(scene.components.masked_fill(hidden, 0.5), scene.masks * ~hidden)

    dots = Hiding()
    places = torch.tensor([[[0.5, 0.5], [0.25, 0.25], [0.75, 0.75], [0.25, 0.75]]])
    goals = torch.tensor([[[0.5, 0.5], [0.75, 0.25], [-2.0, -2.0], [0.25, 0.75]]])
    simulator = LatentSimulator(dots, "cpu")
    simulator._core.encode = lambda frames, actions: DotState(goals)  # type: ignore[method-assign]
    simulator._probe = lambda state, actions: torch.zeros(1, len(actions), 4, 2)  # type: ignore[method-assign]
    black = np.zeros((32, 32, 3), np.uint8)
    observation = {"image": black, "goal_image": black}
    goal = simulator.goal(DotState(places), [observation])
    assert goal.assignment.tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize("hidden", [1, 3])
def test_what_the_goal_does_not_show_has_no_place_to_go_to(hidden: int, caplog) -> None:
    """Its slot lies parked outside of the image there: that is no place to bring a thing to."""
    order = [0, 3, 2, 1]  # in which the goal's slots come
    places = torch.tensor([[[0.5, 0.5], [0.25, 0.25], [0.75, 0.75], [0.25, 0.75]]])
    goals = places[:, order].clone()
    goals[0, order[hidden]] = -2.0

    class Hiding(Dots):
        def decode(self, state):
            scene = super().decode(state)
            at_goal = torch.equal(state.position, goals)
            colors = scene.components[:, order] if at_goal else scene.components
            shown = (state.position.abs().amax(-1) <= 1.0)[:, :, None, None, None]
            return Scene(colors, scene.masks * shown)

    simulator = LatentSimulator(Hiding(), "cpu")
    simulator._core.encode = lambda frames, actions: DotState(goals)  # type: ignore[method-assign]
    black = np.zeros((32, 32, 3), np.uint8)
    goal = simulator.goal(DotState(places), [{"image": black, "goal_image": black}])
    assert goal.assignment.tolist() == [order]
    assert goal.effector.tolist() == [[0, 0, 1, 0]]
    assert goal.objects.tolist() == [[0, 1, 0, 1]]  # both can be moved
    placed = [0, 1, 0, 1]
    placed[hidden] = 0
    assert goal.placed.tolist() == [placed]
    assert goal.index(torch.tensor([0])).placed.tolist() == [placed]
    assert goal.map(torch.clone).placed.tolist() == [placed]
    assert not caplog.records


def test_masks_that_are_faint_everywhere_hide_nothing() -> None:
    class Faint(Dots):
        def decode(self, state):
            scene = super().decode(state)
            return Scene(scene.components, 0.02 * scene.masks)

    places = torch.tensor([[[0.5, 0.5], [0.25, 0.25], [0.75, 0.75], [0.25, 0.75]]])
    simulator = LatentSimulator(Faint(), "cpu")
    simulator._core.encode = lambda frames, actions: DotState(places + 0.1)  # type: ignore[method-assign]
    black = np.zeros((32, 32, 3), np.uint8)
    goal = simulator.goal(DotState(places), [{"image": black, "goal_image": black}])
    assert goal.shown.tolist() == [[1, 1, 1, 1]]


def test_a_goal_that_shows_no_object_is_told(caplog) -> None:
    places = torch.tensor([[[0.5, 0.5], [0.25, 0.25], [0.75, 0.75], [0.25, 0.75]]])
    goals = places.clone()
    goals[0, [1, 3]] = -2.0

    class Hiding(Dots):
        def decode(self, state):
            scene = super().decode(state)
            shown = (state.position.abs().amax(-1) <= 1.0)[:, :, None, None, None]
            return Scene(scene.components, scene.masks * shown)

    simulator = LatentSimulator(Hiding(), "cpu")
    simulator._core.encode = lambda frames, actions: DotState(goals)  # type: ignore[method-assign]
    black = np.zeros((32, 32, 3), np.uint8)
    simulator.goal(DotState(places), [{"image": black, "goal_image": black}])
    assert "the goal shows no object of 1 of 1 scenes" in caplog.text


def test_devices_are_checked():
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="unknown device 'gpu'; choose from auto, cpu, cuda, mps"):
        LatentSimulator(model(), "gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="has no device 'cuda'"):
            LatentSimulator(model(), "cuda")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"particles": 0}, "particles must be at least 1, got 0"),
        ({"precision": "float16"}, "unknown precision 'float16'; .*float32"),
    ],
)
def test_wrong_settings_are_explained(settings, message):
    with pytest.raises(ValueError, match=message):
        LatentSimulator(model(), "cpu", **settings)


def test_bfloat16_is_close():
    exact = LatentSimulator(model(), "cpu")
    rough = LatentSimulator(model(), "cpu", precision="bfloat16")
    suite = TestMean()
    actions = torch.zeros(3, 2, 2, 2)
    expected = suite.rolled(exact, images(), actions).positions
    assert torch.allclose(suite.rolled(rough, images(), actions).positions, expected, atol=0.05)


class TestImagine:
    """The futures of one scene, for those who look."""

    @pytest.fixture
    def simulator(self):
        return LatentSimulator(model(), "cpu", particles=3)

    @pytest.fixture
    def frames(self):
        return np.stack([images()[0]["image"]] * 3)

    def test_futures_are_those_of_a_rollout(self, simulator, frames):
        actions = np.random.default_rng(0).uniform(-1, 1, (2 + 4, 2)).astype(np.float32)
        mean = simulator.imagine(frames, actions)
        assert mean.frames.shape == (1, 1, 1, 4, 3, 32, 32)
        state = simulator.encode([[{"image": frame} for frame in frames]], actions[None, :2])
        future = torch.tensor(actions[2:])[None, None]
        exact = LatentSimulator(model(), "cpu").rollout(state, future)
        assert torch.allclose(mean.slots, exact.slots, atol=1e-6)
        dictionaries = simulator.imagine([{"image": frame} for frame in frames], actions)
        assert torch.equal(dictionaries.slots, mean.slots)

    def test_samples_follow_their_seed(self, simulator, frames):
        actions = np.zeros((2 + 2, 2))
        one, same, other = (simulator.imagine(frames, actions, 5, seed) for seed in (1, 1, 2))
        assert one.slots.shape[:4] == (1, 1, 5, 2)
        assert torch.equal(one.slots, same.slots)
        assert not torch.equal(one.slots, other.slots)
        assert one.slots.std(2).max() > 0

    @pytest.mark.parametrize(
        ("count", "shape", "samples", "message"),
        [
            (1, (5, 2), 1, "trained to see 2 frames before it imagines, got 1"),
            (3, (5, 3), 1, r"A = 2, 2 between the 3 frames and at least one .* got \(5, 3\)"),
            (3, (2, 2), 1, r"at least one to imagine; got \(2, 2\)"),
            (3, (1, 5, 2), 1, r"must be \(C - 1 \+ T, A\)"),
            (3, (5, 2), 0, "samples must be at least 1, got 0"),
        ],
    )
    def test_what_does_not_fit_is_said(self, simulator, frames, count, shape, samples, message):
        with pytest.raises(ArmillaryError, match=message):
            simulator.imagine(frames[:count], np.zeros(shape), samples)
