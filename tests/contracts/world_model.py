"""What every world model must do; a model's test class inherits this suite."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.world_models.checkpoints.checkpoint import load_model, save_checkpoint
from armillary.world_models.checkpoints.locate import WEIGHTS_FILE
from armillary.world_models.model import Window, WorldModel
from armillary.world_models.state import LatentState, Scene

BATCH = 3


class WorldModelContract:
    """Inherit, name the class ``Test...`` and define ``make``.

    Attributes:
        clip_length: frames of the clips that losses are computed on.
        horizon: steps that rollouts imagine.
        stochastic: whether noise changes what ``step`` returns.
    """

    clip_length = 4
    horizon = 3
    stochastic = True

    def make(self) -> WorldModel:
        """A small model, from ``build_model``, with random weights."""
        raise NotImplementedError

    @pytest.fixture
    def model(self) -> WorldModel:
        torch.manual_seed(0)
        model = self.make().eval()
        # Statistics unlike the defaults, so that forgetting them shows.
        model.set_action_statistics(
            torch.linspace(-0.2, 0.3, model.action_size), torch.full((model.action_size,), 0.5)
        )
        return model

    @pytest.fixture
    def window(self, model: WorldModel) -> Window:
        return random_window(model, max(self.clip_length, model.context_length))

    @pytest.fixture
    def state(self, model: WorldModel) -> LatentState:
        context = random_window(model, model.context_length)
        with torch.no_grad():
            return model.encode(context.frames, context.actions)

    @pytest.fixture
    def actions(self, model: WorldModel) -> Tensor:
        return torch.rand(BATCH, self.horizon, model.action_size, generator=generator(2)) * 2 - 1

    @pytest.fixture
    def noise(self, model: WorldModel) -> Tensor:
        return torch.randn(BATCH, self.horizon, *model.noise_shape, generator=generator(3))

    # Shapes and ranges

    def test_filter_gives_a_state_for_every_frame(self, model: WorldModel, window: Window) -> None:
        with torch.no_grad():
            states = model.filter(window.frames, window.actions)
        for name, tensor in states.tensors().items():
            assert tensor.shape[:2] == (BATCH, window.length), name
            assert torch.isfinite(tensor).all(), name

    def test_encode_is_the_last_filtered_state(self, model: WorldModel) -> None:
        context = random_window(model, model.context_length)
        with torch.no_grad():
            states = model.filter(context.frames, context.actions)
            encoded = model.encode(context.frames, context.actions)
        assert_states_close(encoded, states.map(lambda tensor: tensor[:, -1]))

    def test_a_belief_that_is_carried_is_the_filtered_one(
        self, model: WorldModel, window: Window
    ) -> None:
        state, action = None, torch.zeros(BATCH, model.action_size)
        with torch.no_grad():
            states = model.filter(window.frames, window.actions)
            for t in range(window.length):
                action = window.actions[:, t - 1] if t else action
                kept = None if state is None else [t.clone() for t in state.tensors().values()]
                following = model.observe(state, action, window.frames[:, t])
                if state is not None and kept is not None:
                    unchanged = zip(state.tensors().values(), kept, strict=True)
                    assert all(torch.equal(*pair) for pair in unchanged), "observe is pure"
                state = following
                assert_states_close(state, states.map(lambda tensor, t=t: tensor[:, t]), atol=0)

    @pytest.mark.parametrize("length", [1, 5])
    def test_a_context_may_have_any_length(self, model: WorldModel, length: int) -> None:
        context = random_window(model, length)
        with torch.no_grad():
            state = model.encode(context.frames, context.actions)
        assert len(state) == BATCH
        assert all(bool(t.isfinite().all()) for t in state.tensors().values())

    def test_inputs_are_checked_once(self, model: WorldModel) -> None:
        context, checks = random_window(model, 2), []
        model.check_inputs = lambda *inputs: checks.append(inputs)  # type: ignore[method-assign]
        with torch.no_grad():
            model.encode(context.frames, context.actions)
        assert len(checks) == 1

    def test_imagined_states_have_a_gradient_by_the_actions(
        self, model: WorldModel, state: LatentState, actions: Tensor, noise: Tensor
    ) -> None:
        wanted = actions.clone().requires_grad_()
        slots = model.slots(model.rollout(state, wanted, noise).flatten(2))
        if model.action_size:
            (gradient,) = torch.autograd.grad(slots.square().sum(), wanted)
            assert gradient.isfinite().all()

    def test_shapes_of_what_is_read_off_a_state(
        self, model: WorldModel, state: LatentState
    ) -> None:
        size, count = model.image_size, model.num_slots
        with torch.no_grad():
            scene, slots, positions = (
                model.decode(state),
                model.slots(state),
                model.positions(state),
            )
        assert slots.shape == (BATCH, count, model.slot_size)
        assert positions.shape == (BATCH, count, 2)
        assert scene.components.shape == (BATCH, count, 3, size, size)
        assert scene.masks.shape == (BATCH, count, 1, size, size)
        assert scene.frames.shape == (BATCH, 3, size, size)

    def test_scene_is_made_of_images_and_shares(
        self, model: WorldModel, state: LatentState
    ) -> None:
        with torch.no_grad():
            scene, positions = model.decode(state), model.positions(state)
        for part in (scene.components, scene.masks, scene.frames, positions):
            assert part.min() >= 0
            assert part.max() <= 1 + 1e-5
        assert_close(scene.masks.sum(-4), torch.ones_like(scene.masks[:, 0]), atol=1e-5, rtol=0)

    def test_rollout_is_repeated_steps(
        self, model: WorldModel, state: LatentState, actions: Tensor, noise: Tensor
    ) -> None:
        with torch.no_grad():
            imagined = model.rollout(state, actions, noise)
            for t in range(self.horizon):
                state = model.step(state, actions[:, t], noise[:, t])
                assert_states_close(imagined.map(lambda tensor, t=t: tensor[:, t]), state)

    def test_members_imagine_from_the_same_beliefs(
        self, model: WorldModel, state: LatentState, actions: Tensor
    ) -> None:
        assert model.members[0] is model
        with torch.no_grad():
            scene = model.decode(state)
            for member in model.members:
                ahead = model.slots(member.rollout(state, actions).flatten(2))
                assert ahead.shape == (BATCH * self.horizon, model.num_slots, model.slot_size)
                assert ahead.isfinite().all()
                assert torch.equal(member.decode(state).components, scene.components)

    # Purity, causality and batches

    def test_filter_does_not_look_ahead(self, model: WorldModel, window: Window) -> None:
        with torch.no_grad():
            states = model.filter(window.frames, window.actions)
            early = model.filter(window.frames[:, :2], window.actions[:, :1])
        assert_states_close(states.map(lambda tensor: tensor[:, :2]), early)

    def test_step_is_pure(
        self, model: WorldModel, state: LatentState, actions: Tensor, noise: Tensor
    ) -> None:
        arguments = {**state.tensors(), "action": actions[:, 0], "noise": noise[:, 0]}
        before = {name: tensor.clone() for name, tensor in arguments.items()}
        weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        with torch.no_grad():
            first = model.step(state, actions[:, 0], noise[:, 0])
            second = model.step(state, actions[:, 0], noise[:, 0])
        assert_states_close(first, second, atol=0)
        for name, tensor in arguments.items():
            assert torch.equal(tensor, before[name]), f"step changed {name}"
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, weights[name]), f"step changed the model's {name}"

    @pytest.mark.parametrize("row", range(BATCH))
    def test_a_row_does_not_depend_on_its_batch(
        self, model: WorldModel, actions: Tensor, noise: Tensor, row: int
    ) -> None:
        context = random_window(model, model.context_length)
        one = slice(row, row + 1)
        with torch.no_grad():
            together = model.encode(context.frames, context.actions)
            alone = model.encode(context.frames[one], context.actions[one])
            assert_states_close(alone, together.index(one))
            stepped = model.step(together, actions[:, 0], noise[:, 0])
            stepped_alone = model.step(together.index(one), actions[one, 0], noise[one, 0])
            assert_states_close(stepped_alone, stepped.index(one))
            scene, scene_alone = model.decode(together), model.decode(together.index(one))
        assert_close(scene_alone.components, scene.components[one], atol=1e-5, rtol=1e-5)
        assert_close(scene_alone.masks, scene.masks[one], atol=1e-5, rtol=1e-5)

    def test_without_noise_nothing_is_random(
        self, model: WorldModel, state: LatentState, actions: Tensor
    ) -> None:
        with torch.no_grad():
            torch.manual_seed(1)
            first = model.rollout(state, actions)
            torch.manual_seed(2)
            second = model.rollout(state, actions)
        assert_states_close(first, second, atol=0)

    def test_noise_alone_decides_the_outcome(
        self, model: WorldModel, state: LatentState, actions: Tensor, noise: Tensor
    ) -> None:
        with torch.no_grad():
            torch.manual_seed(1)
            first = model.rollout(state, actions, noise)
            torch.manual_seed(2)
            second = model.rollout(state, actions, noise)
            other = model.rollout(state, actions, -noise)
        assert_states_close(first, second, atol=0)
        assert states_differ(first, other) == self.stochastic

    def test_nothing_needs_or_keeps_gradients_under_no_grad(
        self, model: WorldModel, actions: Tensor
    ) -> None:
        context = random_window(model, model.context_length)
        with torch.no_grad():
            state = model.encode(context.frames, context.actions)
            scene = model.decode(model.step(state, actions[:, 0]))
        for tensor in [*state.tensors().values(), scene.components, scene.masks]:
            assert not tensor.requires_grad
        assert all(parameter.grad is None for parameter in model.parameters())

    # Bad input

    def test_frames_of_another_size_are_refused(self, model: WorldModel) -> None:
        context = random_window(model, model.context_length)
        size = model.image_size
        with pytest.raises(ValueError, match=rf"{size}, {size}.*got.*{size + 2}"):
            model.encode(
                torch.zeros(BATCH, model.context_length, 3, size, size + 2), context.actions
            )

    def test_frames_of_bytes_are_refused(self, model: WorldModel) -> None:
        context = random_window(model, model.context_length)
        with pytest.raises(ValueError, match=r"float.*got torch\.uint8"):
            model.encode((context.frames * 255).byte(), context.actions)

    def test_actions_of_another_size_are_refused(self, model: WorldModel) -> None:
        length, size = model.context_length, model.action_size
        context = random_window(model, length)
        with pytest.raises(ValueError, match=rf"{size}\).*got.*{size + 1}\)"):
            model.encode(context.frames, torch.zeros(BATCH, length - 1, size + 1))

    def test_actions_of_another_length_are_refused(self, model: WorldModel) -> None:
        length, size = model.context_length, model.action_size
        context = random_window(model, length)
        with pytest.raises(ValueError, match="actions must be"):
            model.encode(context.frames, torch.zeros(BATCH, length + 1, size))

    def test_unknown_objective_is_refused(self, model: WorldModel, window: Window) -> None:
        calls: list[Callable[[], object]] = [
            lambda: model.loss(window, "nonsense", 0),
            lambda: model.trainable("nonsense"),
        ]
        for call in calls:
            with pytest.raises(ValueError, match=rf"nonsense.*{model.objectives[0]}"):
                call()

    # Training

    def test_every_objective_trains_its_parameters(self, model: WorldModel, window: Window) -> None:
        model.train()
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        for objective in model.objectives:
            parameters = model.trainable(objective)
            assert parameters, objective
            losses = model.loss(window, objective, 0)
            assert losses.total.shape == ()
            assert torch.isfinite(losses.total), objective
            assert all(not term.requires_grad for term in losses.terms.values())
            gradients = torch.autograd.grad(losses.total, parameters, allow_unused=True)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                name = f"{names[id(parameter)]} under {objective}"
                assert gradient is not None, f"no gradient for {name}"
                assert torch.isfinite(gradient).all(), f"bad gradient for {name}"
            assert any(gradient.abs().sum() > 0 for gradient in gradients if gradient is not None)

    def test_the_layout_of_convolutions_changes_no_number(
        self, model: WorldModel, window: Window, tmp_path: Path
    ) -> None:
        """On a GPU they lie channels last."""
        losses, files = [], []
        for layout in (torch.contiguous_format, torch.channels_last):
            copy = deepcopy(model).to(memory_format=layout)  # pyright: ignore[reportCallIssue]
            saved = save_checkpoint(tmp_path / str(layout), copy, step=0)
            files.append((saved / WEIGHTS_FILE).read_bytes())
            copy.train()
            torch.manual_seed(0)
            losses.append([copy.loss(window, name, 0).total for name in model.objectives])
            torch.autograd.backward(losses[-1])
        assert_close(*losses, atol=1e-5, rtol=1e-4)
        assert files[0] == files[1]

    def test_checkpoint_keeps_every_output(
        self, model: WorldModel, actions: Tensor, noise: Tensor, tmp_path: Path
    ) -> None:
        save_checkpoint(tmp_path / "kept", model, step=1)
        loaded = load_model(tmp_path / "kept")
        assert not loaded.training
        context = random_window(model, model.context_length)
        scenes: list[Scene] = []
        with torch.no_grad():
            for copy in (model, loaded):
                state = copy.encode(context.frames, context.actions)
                scenes.append(copy.decode(copy.rollout(state, actions, noise).flatten(2)))
        assert torch.equal(scenes[0].components, scenes[1].components)
        assert torch.equal(scenes[0].masks, scenes[1].masks)


def random_window(model: WorldModel, length: int) -> Window:
    """Clips of noise, the same at every call."""
    size = model.image_size
    return Window(
        torch.rand(BATCH, length, 3, size, size, generator=generator(0)),
        torch.rand(BATCH, length - 1, model.action_size, generator=generator(1)) * 2 - 1,
        torch.zeros(BATCH, length, 0, 0, dtype=torch.int64),
    )


def generator(seed: int) -> torch.Generator:
    """A generator of its own, so that no test depends on the global one."""
    return torch.Generator().manual_seed(seed)


def assert_states_close(first: LatentState, second: LatentState, atol: float = 1e-5) -> None:
    """Compares two states field by field."""
    assert type(first) is type(second)
    for name, tensor in first.tensors().items():
        other = second.tensors()[name]
        assert_close(tensor, other, atol=atol, rtol=atol, msg=lambda text, n=name: f"{n}: {text}")


def states_differ(first: LatentState, second: LatentState) -> bool:
    """Whether any number of two states differs."""
    others = second.tensors()
    return any(not torch.equal(tensor, others[name]) for name, tensor in first.tensors().items())
