"""slot_dynamics: slots with a place, found by attention and moved by a relational transformer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from armillary.world_models.blocks.glimpse_decoder import GlimpseDecoder
from armillary.world_models.blocks.initializer import FarthestPointInitializer
from armillary.world_models.blocks.relational_dynamics import RelationalDynamics, chosen
from armillary.world_models.blocks.slot_attention import SlotAttention
from armillary.world_models.model import Losses, Window, WorldModel, check_ensemble
from armillary.world_models.registry import register_model
from armillary.world_models.slots.discovery import Discovery
from armillary.world_models.slots.displacement import Displacement
from armillary.world_models.slots.dynamics import Foresight, content_variance
from armillary.world_models.slots.identity import carried
from armillary.world_models.slots.orientation import (
    Orientation,
    random_angles,
    turned,
    turned_frames,
)
from armillary.world_models.slots.readout import Labels, Readout
from armillary.world_models.slots.settings import (
    BACKGROUNDS,
    PREDICTORS,
    UNITS,
    check_choice,
    check_handles,
    check_numbers,
    check_sizes,
)
from armillary.world_models.slots.sight import Sight
from armillary.world_models.slots.state import SlotState, are_present
from armillary.world_models.state import Scene

_SURVEYED = 512
"""Frames of which the background is the median."""


@register_model("slot_dynamics")
class SlotDynamics(WorldModel[SlotState]):
    """An object-centric world model that trains on a CPU.

    Encoder as in SAVi (Kipf et al. 2022): an *initializer* seeds the slots in the first frame, a
    *predictor* carries them to the next one and a *corrector*, slot attention in slot-centred
    frames (Biza et al. 2023), refines them. Decoder: glimpses (Eslami et al. 2016). Dynamics: a
    relational transformer that predicts the mean change of every slot and its variance.

    Two variances are kept apart, as in SDVAE (Emami et al. 2020): the *discovery* variance is a
    learned constant, used where slots are inferred; the *dynamics* variance is predicted and used
    where the future is imagined.

    The second edition is a choice of settings (``experiments/conf/model/slots.yaml``): frames are
    segmented afresh one by one from seeds at the scale of objects (``rediscover``), what is seen is
    attended to by its colour from the first step on, masks are told what attention sees, and the
    dynamics counts every number in units of its own variance. The defaults are the first edition,
    whose checkpoints load as they are.

    Objectives:
        joint: reconstruction, KL from prediction to posterior, and imagined rollouts, together.
        discovery: reconstruction alone; trains everything but the dynamics.
        dynamics: rollouts in slot space against the posterior; trains the dynamics alone and can
            be trained on states that were encoded once.
        readout: where in the scene slots are, with the setting of that name; likewise.
        orientation: turned frames against each other; trains how things lie alone, where
            ``orientation_weight`` says so.

    Args:
        image_size: a multiple of ``tokens``, at least twice as much, in pixels.
        action_size: A.
        num_slots: K, the background included; no weight depends on it.
        context_length: C.
        content_size: Z.
        encoder_channels: width of the convolutions.
        tokens: of the image, along its side.
        seed_patch: side of what slots are seeded by, in pixels, that of a small thing; None for
            that of a token.
        color_affinity: logit by which a token is attended to less, for each unit of the squared
            distance of its colour to that of a slot's seed. It counts in frames in which slots are
            seeded.
        background: ``color``, slot 0 shows what has the frame's most usual colour, or ``image``:
            the camera stands still, and slot 0 shows what the data show most often at each place;
            what differs from it there is a thing.
        background_affinity: as ``color_affinity``, of what differs from that image, at most 20.
        seed_place: how much a distance of one image width counts where seeds are chosen, against
            colours.
        brightness: weight of a difference of brightness beside those of hues, by which seeds and
            tokens are compared then: sides of a thing that are lit differently are alike. None
            compares colours.
        third_moments: see ``SlotAttention``.
        absent: a slot shows nothing whose seed is nearer to all earlier ones, in colour and half
            the distance of places; 0 lets every slot show something.
        object_extent: half the side of what one object may cover, in image widths.
        patch: cells along the side of a decoded patch.
        decoder_hidden: width of the decoder.
        dynamics_width: width of the transformer.
        dynamics_layers: its depth.
        dynamics_heads: its attention heads.
        gated: whether it weighs a slot's change by a gate.
        motion: whether it sees how slots moved in the last step; False where things stand still
            between actions.
        points: which numbers of an action are points in the scene, see ``RelationalDynamics``.
        readout: the numbers of an action that say where in the scene a thing is that it moves, and,
            where they are given, too, those that say where it then is: handles are learned from
            them, see ``slots.readout``, and the dynamics sees points from there. Without any there
            are no handles.
        readout_layers: rounds of attention between objects by which handles are told, see
            ``Readout``.
        displacement: the numbers of an action that say how far it sends in the scene what it
            moves: handles are learned from them, see ``slots.displacement``. Not with ``readout``.
        handle_weight: of squared errors of handles in what the dynamics foresees; they have to be
            learned before it.
        in_scene: whether the dynamics sees handles and how things lie to each other in the scene:
            what touches what is told there, not in the image. They have to be learned before it.
        first_iterations: attention rounds on frames in which slots are seeded.
        next_iterations: attention rounds on every other frame.
        permanence: with ``rediscover``, how different from what was known before, in the unit of
            ``identity.carried``, something that is found may be to be the same thing; otherwise
            that is hidden, and stays where it was seen last. 0 takes whatever is found.
        predictor: ``copy`` carries slots over, ``dynamics`` steps them under the action,
            ``rediscover`` seeds them in every frame and matches them to those before.
        pixel_std: standard deviation of the pixel likelihood.
        position_std: discovery standard deviation of positions, in image widths.
        mask_weights: of ``discovery.mask_loss``, at first and at last.
        mask_steps: in which it falls from one to the other.
        content_units: what a difference of contents counts in, ``one`` or ``variance``: that of
            each number while things move, measured where states are encoded once and kept.
        position_weight: of squared errors of positions, in extents, beside those of contents.
        orientation_weight: of squared errors of how things lie; above 0 that is learned, for scenes
            that are seen from above, and plans know it.
        best_of: rollouts sampled per clip of which the best counts (Bhattacharyya et al. 2018);
            1 rolls out the mean.
        ensemble: M, dynamics that share all else. They start differently and see the same clips,
            which suffices for them to disagree; bootstraps do not help (Lakshminarayanan et al.
            2017, 1612.01474).
    """

    objectives = ("joint", "discovery", "dynamics")
    formerly_saved = ("corrector.extent", "corrector.movable", "decoder.extent")

    def __init__(
        self,
        *,
        image_size: int,
        action_size: int,
        num_slots: int,
        context_length: int = 2,
        content_size: int = 32,
        encoder_channels: int = 32,
        tokens: int = 16,
        seed_patch: int | None = None,
        color_affinity: float = 0.0,
        background: str = "color",
        background_affinity: float = 200.0,
        seed_place: float = 0.5,
        brightness: float | None = None,
        third_moments: bool = False,
        absent: float = 0.0,
        object_extent: float = 0.2,
        patch: int = 16,
        decoder_hidden: int = 128,
        dynamics_width: int = 64,
        dynamics_layers: int = 2,
        dynamics_heads: int = 4,
        gated: bool = False,
        motion: bool = True,
        points: Sequence[Sequence[int]] = (),
        readout: Sequence[Sequence[int]] = (),
        readout_layers: int = 0,
        displacement: Sequence[int] = (),
        handle_weight: float = 0.0,
        in_scene: bool = False,
        first_iterations: int = 2,
        next_iterations: int = 1,
        permanence: float = 0.0,
        predictor: str = "copy",
        pixel_std: float = 0.03,
        position_std: float = 0.01,
        mask_weights: Sequence[float] = (0.0, 0.0),
        mask_steps: int = 1500,
        content_units: str = "one",
        position_weight: float = 1.0,
        orientation_weight: float = 0.0,
        best_of: int = 1,
        ensemble: int = 1,
    ) -> None:
        super().__init__(
            image_size=image_size,
            action_size=action_size,
            context_length=context_length,
            num_slots=num_slots,
            slot_size=content_size + 2,
            noise_shape=(num_slots - 1, content_size + 2),
        )
        check_sizes(image_size, tokens, num_slots)
        check_choice("predictor", predictor, PREDICTORS)
        check_choice("content_units", content_units, UNITS)
        check_choice("background", background, BACKGROUNDS)
        check_numbers(action_size, points, readout, displacement)
        check_handles(bool(readout or displacement), readout_layers, in_scene)
        check_ensemble(ensemble)
        self.first_iterations = first_iterations
        self.next_iterations = next_iterations
        self.predictor = predictor
        self.pixel_std = pixel_std
        self.position_std = position_std
        self.best_of = best_of
        self.object_extent = object_extent
        self.tokens = tokens
        self.color_affinity = color_affinity
        self.background_affinity = background_affinity
        self.permanence = permanence
        self.brightness = brightness
        self.absent = absent
        self.motion = motion
        self.mask_weights = mask_weights
        self.mask_steps = mask_steps
        self.content_units = content_units
        self.position_weight = position_weight
        self.orientation_weight = orientation_weight
        stride = image_size // tokens
        channels = encoder_channels
        self.encoder = nn.Sequential(
            nn.Conv2d(3, channels, stride + 3, stride, padding=2),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.initializer = FarthestPointInitializer(num_slots, seed_patch or stride, seed_place)
        self.first_content = nn.Linear(channels, content_size)
        self.corrector = SlotAttention(channels, content_size, object_extent, third_moments)
        self.posterior = nn.Linear(content_size, content_size)
        self.discovery_scale = nn.Parameter(torch.full((content_size,), -1.0))
        self.decoder = GlimpseDecoder(
            content_size, image_size, patch, object_extent, decoder_hidden
        )
        self.readout_from = [list(group) for group in readout]
        self.displacement = list(displacement)
        self.handle_weight = handle_weight
        self.in_scene = in_scene
        place_size = len(readout[0]) if readout else len(displacement)
        self.dynamics, *others = (
            RelationalDynamics(
                *(content_size, action_size, dynamics_width),
                *(dynamics_layers, dynamics_heads, object_extent, gated),
                *(points, place_size if readout else 0, place_size if in_scene else 0),
            )
            for _ in range(ensemble)
        )
        self.siblings = nn.ModuleList(others)
        self.readout = None
        if readout or displacement:
            self.readout = Readout(content_size, place_size, object_extent, layers=readout_layers)
            self.objectives = (*self.objectives, "readout")
        self.orientation = None
        if orientation_weight > 0:
            self.objectives = (*self.objectives, "orientation")
            self.orientation = Orientation(content_size)
        self.content_variance: Tensor
        half = torch.full((content_size,), 0.5)  # counts squared differences once
        self.register_buffer("content_variance", half, persistent=content_units == "variance")
        self.background: Tensor | None
        still = torch.full((3, image_size, image_size), 0.5) if background == "image" else None
        self.register_buffer("background", still)
        self.surveyed = 0 if still is None else _SURVEYED

    @property
    def members(self) -> Sequence[SlotDynamics]:
        """See the contract."""
        return self.exchanging("dynamics", self.siblings)

    @property
    def discovery_std(self) -> Tensor:
        """(Z,) standard deviation of an inferred content."""
        return F.softplus(self.discovery_scale) + 1e-3

    def observe(self, state: SlotState | None, action: Tensor, frame: Tensor) -> SlotState:
        """See the contract; the slots start from the last ones' prediction, or from seeds."""
        return self._perceive(state, action, frame)[0]

    def step(self, state: SlotState, action: Tensor, noise: Tensor | None = None) -> SlotState:
        """See the contract; ``noise`` is scaled by the dynamics' own standard deviation."""
        return self._stepped(state, action, noise)[0]

    def slots(self, state: SlotState) -> Tensor:
        """(..., K, Z + 2): content and position, the latter in object extents."""
        return torch.cat([state.content, state.position / self.object_extent], -1)

    def positions(self, state: SlotState) -> Tensor:
        """(N, K, 2): held by the state, nothing is decoded."""
        return state.position

    def orientations(self, state: SlotState) -> Tensor:
        """See the contract: (N, K, 2) where that is learned, else (N, K, Z) contents.

        Those of a thing at two times are then on average as far apart as random directions: a thing
        that is turned looks otherwise.
        """
        if self.orientation is not None:
            return self.orientation(state.content)
        return state.content / (self.content_variance * state.content.shape[-1]).sqrt()

    def handles(self, state: SlotState) -> Tensor:
        """(..., K, P): see the contract; read out of slots, the background's by itself."""
        if self.readout is None:
            return super().handles(state)
        told = self._places(state)
        if self.displacement:
            return told
        numbers = self.readout_from[0]
        return told * chosen(self.action_std, numbers) + chosen(self.action_mean, numbers)

    def decode(self, state: SlotState) -> Scene:
        """See the contract."""
        return self._drawn(state.content, state.position)

    def loss(self, window: Window, objective: str, step: int | Tensor) -> Losses:
        """See the contract."""
        self.check_objective(objective)
        if objective in ("dynamics", "readout"):
            with torch.no_grad():
                states = self.filter(window.frames, window.actions)
            return self.latent_loss(states, window.actions, objective, step)
        if objective == "orientation":
            return self._turn(window.frames.flatten(0, 1))
        states, discovery = self._discover(window, step)
        if objective == "discovery":
            return discovery
        imagined = self.latent_loss(states.detach(), window.actions, "dynamics", step)
        consistency = self._consistency(states, window.actions)
        total = discovery.total + imagined.total + consistency
        terms = discovery.terms | imagined.terms | {"consistency": consistency.detach()}
        return Losses(total, terms)

    def survey(self, frames: Tensor) -> None:
        """See the contract: keeps the median of frames, where slot 0 shows that."""
        if self.background is not None:
            self.background.copy_(frames.median(0).values)

    def measure(self, states: SlotState) -> None:
        """See the contract: keeps the variance of contents, for ``content_units=variance``."""
        if self.content_units == "variance":
            spread = content_variance(states, self.discovery_std)
            self.content_variance.copy_(spread)

    def latent_loss(
        self, states: SlotState, actions: Tensor, objective: str, step: int | Tensor
    ) -> Losses:
        """The ``dynamics`` objective: open-loop squared error and the variance's likelihood.

        The mean is trained by squared error alone, so that the variance cannot excuse it.
        """
        if objective == "readout" and self.readout is not None:
            if self.displacement:
                objects = states.map(lambda tensor: tensor[:, :, 1:])
                return Displacement(self.readout).loss(objects, chosen(actions, self.displacement))
            return self.readout.loss(states, self._labels(states, actions))
        if objective != "dynamics":
            return super().latent_loss(states, actions, objective, step)
        losses = [member._foresee(states, actions) for member in self.members]
        return Losses.of_members(losses)

    def trainable(self, objective: str) -> list[nn.Parameter]:
        """Those of a stage alone; for ``joint`` all but the readouts' and orientation's."""
        self.check_objective(objective)
        dynamics = [*self.dynamics.parameters(), *self.siblings.parameters()]
        apart = ("dynamics.", "siblings.", "orientation.", "readout.")
        named = list(self.named_parameters())
        others = [p for n, p in named if not n.startswith(apart)]
        alone = {
            name: [p for n, p in named if n.startswith(f"{name}.")]
            for name in ("orientation", "readout")
        }
        stages = {"discovery": others, "dynamics": dynamics, **alone}
        return {"joint": others + dynamics, **stages}[objective]

    def _stepped(
        self, state: SlotState, action: Tensor, noise: Tensor | None = None
    ) -> tuple[SlotState, Tensor]:
        """The next state and the objects' nodes (N, K - 1, W) inside the dynamics.

        The background (slot 0) is carried over as it is, and what is absent stays away.
        """
        objects = state.map(lambda tensor: tensor[:, 1:])
        present = are_present(objects.position) if self.absent > 0 else None
        offsets, told = [], None
        if self.readout is not None and (self.readout_from or self.in_scene):
            told = self.readout(objects)
        if told is not None and self.readout_from:
            offsets = [
                self._in_scene(action, point).unsqueeze(1) - told for point in self.dynamics.points
            ]
        change, nodes = self.dynamics(
            *(objects.content, objects.position, objects.motion),
            *(self.normalise_action(action), present, offsets),
            scene=told if self.in_scene else None,
        )
        if noise is not None:
            change = change + self.dynamics.std(nodes) * noise
        moved = change[..., -2:] * self.object_extent
        if present is not None:
            moved = moved * present.unsqueeze(-1)
        after = state.map(Tensor.clone)
        after.content[:, 1:] += change[..., :-2]
        after.position[:, 1:] += moved
        after.motion[:, 1:] = moved if self.motion else torch.zeros_like(moved)
        return after, nodes

    def _perceive(
        self, state: SlotState | None, action: Tensor, frame: Tensor
    ) -> tuple[SlotState, Tensor]:
        """The belief after a frame and what its slots attend to in it (N, K, L)."""
        sight = Sight(
            *(self.encoder, self.initializer, self.first_content, self.corrector),
            *(self.posterior, self.color_affinity, self.absent, self.brightness),
            *(self.background, self.background_affinity),
        )
        if state is None:
            return sight.afresh(frame, self.first_iterations)
        if self.predictor == "rediscover":
            found, attention = sight.afresh(frame, self.first_iterations)
            found = carried(
                *(state, found, self.discovery_std.square()),
                *(self.object_extent, self.permanence),
            )
        else:
            predicted = self.step(state, action) if self.predictor == "dynamics" else state
            found, attention = sight.again(frame, predicted, self.next_iterations)
        moved = found.position - state.position
        return replace(found, motion=moved if self.motion else torch.zeros_like(moved)), attention

    def _discover(self, window: Window, step: int | Tensor) -> tuple[SlotState, Losses]:
        """The states of clips (N, T, ...) and the loss of making their frames again of them."""
        state, action, seen = None, window.actions[:, :0], []
        for t in range(window.length):
            state, attention = self._perceive(state, action, window.frames[:, t])
            action = window.actions[:, t] if t + 1 < window.length else action
            seen.append((state, attention))
        states = SlotState.stack([state for state, _ in seen], 1)
        attention = torch.stack([attention for _, attention in seen], 1)
        discovery = Discovery(
            *(self._drawn, self.discovery_std, self.pixel_std),
            *(self.mask_weights, self.mask_steps),
        )
        return states, discovery.loss(window.frames, states, attention, step)

    def _turn(self, frames: Tensor) -> Losses:
        """Of frames (N, 3, H, W), each turned by a random angle."""
        assert self.orientation is not None
        angle = random_angles(frames)
        with torch.no_grad():
            still = frames.new_zeros(len(frames), self.action_size)
            state = self.observe(None, still, frames)
            place = 0.5 + turned(state.position - 0.5, angle)
            seen = self.observe(None, still, turned_frames(frames, angle))
            meant = replace(state, position=place)
            seen = carried(meant, seen, self.discovery_std.square(), self.object_extent)
        return self.orientation.loss(state, seen, angle)

    def _drawn(self, content: Tensor, position: Tensor) -> Scene:
        """Contents (N, K, Z) and positions (N, K, 2) -> scenes."""
        return self.decoder(content, position, self.background)

    def _foresee(self, states: SlotState, actions: Tensor) -> Losses:
        def step(
            state: SlotState, action: Tensor, noise: Tensor | None
        ) -> tuple[SlotState, Tensor]:
            after, nodes = self._stepped(state, action, noise)
            return after, self.dynamics.std(nodes.detach())

        foresight = Foresight(
            *(self.content_variance, self.object_extent, self.position_weight),
            *(self.orientation, self.orientation_weight, self.best_of),
            *(None if self.readout is None else self._places, self.handle_weight),
        )
        return foresight.loss(step, states, actions)

    def _places(self, state: SlotState) -> Tensor:
        """(..., K, P) in the unit of the readout."""
        assert self.readout is not None
        return self.readout.of_all(state)

    def _in_scene(self, actions: Tensor, numbers: Sequence[int]) -> Tensor:
        """A point (..., P) that actions (..., A) name, in the unit of the readout."""
        first = self.readout_from[0]
        mean, std = (chosen(one, first) for one in (self.action_mean, self.action_std))
        return (chosen(actions, numbers) - mean) / std

    def _labels(self, states: SlotState, actions: Tensor) -> Labels:
        taken, *put = (self._in_scene(actions, group) for group in self.readout_from)
        objects = states.map(lambda tensor: tensor[:, :, 1:])
        return Labels.told(objects, taken, put[0] if put else None, self.object_extent)

    def _consistency(self, states: SlotState, actions: Tensor) -> Tensor:
        """KL from the prediction to the posterior, both with the discovery variance."""
        before = states.map(lambda tensor: tensor[:, :-1].flatten(0, 1))
        after = states.map(lambda tensor: tensor[:, 1:].flatten(0, 1))
        predicted = self.step(before, actions.flatten(0, 1))
        content = ((after.content - predicted.content) / self.discovery_std).square()
        position = ((after.position - predicted.position) / self.position_std).square()
        return 0.5 * (content.sum((-1, -2)) + position.sum((-1, -2))).mean()
