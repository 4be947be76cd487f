"""The cross-entropy method over which thing is picked up, and where it is put."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from armillary.errors import ArmillaryError
from armillary.planners.situation import Situation, situated
from armillary.planners.template.checks import check, check_count, check_fitting, check_noise
from armillary.planners.template.problem import Problem
from armillary.planners.template.search import Distribution, Search, refit
from armillary.plugins import register
from armillary.suggestions import suggest

SPACES = ("scene", "image")


@dataclass(slots=True, kw_only=True)
class Moves(Distribution):
    """For every step: how likely each thing is picked, and a Gaussian of where it is put.

    Attributes:
        things: (B, E, T) int64, which thing each of the carried candidates picks; -1: to be found.
        objects: (B, K) bool, what can be moved.
        handles: (B, K, P), where things can be picked up at first.
        shares: (B, T, K), 0 for what is no object.
        places: (B, T, K, P), the Gaussians' means.
        spreads: (B, T, K, P), their standard deviations.
    """

    things: Tensor
    objects: Tensor
    handles: Tensor
    shares: Tensor
    places: Tensor
    spreads: Tensor


@register("planner", "object_cem")
@dataclass(frozen=True, kw_only=True)
class ObjectCEM(Search[Moves]):
    """Searches pick and place actions as OP3 does with entity actions: things instead of picks.

    An action is where something is picked up, then where it is put, or how far it is moved, as many
    numbers each. A pick is where an object is, or ``pick_std`` beside it: at first where the
    simulator tells, and after a move where the candidate has put it. At first every object is as
    likely as another, and put about where the goal has it (Veerapaneni et al. 2019,
    arXiv:1910.12827, whose picks come from attention; the cross-entropy method of both parts is
    Rubinstein & Kroese's, 2004).

    Attributes:
        space: of the numbers of a pick: ``image``, x and y in [0, 1] of it, so that things are
            picked where they are seen; or ``scene``, and the simulator's ``handles`` tell.
        displacements: the numbers of an action that are displacements from the pick, in its units:
            those of its second half, or none, and it is a place.
        samples: S, candidates per iteration.
        iterations: how often shares and Gaussians are fitted.
        elites: E, the best candidates of an iteration, which they are fitted to.
        std: of places at the start, in halves of the range of the bounds.
        min_std: the least, in the same unit.
        pick_std: standard deviation of picks about where things are, in the same unit. Where things
            are read a little wrong a pick misses, the scene stays as it is, and the next plan would
            be the same; with it another pick is tried.
        momentum: weight of the previous shares in the next, in [0, 1).
    """

    space: str = "scene"
    displacements: Sequence[Sequence[int]] = ()
    samples: int = 100
    iterations: int = 4
    elites: int = 10
    std: float = 0.15
    min_std: float = 0.01
    pick_std: float = 0.0
    momentum: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.space not in SPACES:
            raise ArmillaryError(f"unknown space {self.space!r}; {suggest(self.space, SPACES)}")
        check_count("samples", self.samples, 2)
        check_fitting(self.samples, self.elites, self.momentum)
        check_noise(self.std, 0.0)
        check("min_std", self.min_std, f"in [0, std={self.std}]", 0 <= self.min_std <= self.std)
        check("pick_std", self.pick_std, "in [0, 1]", 0 <= self.pick_std <= 1)

    def start(self, problem: Problem) -> Moves:
        """See ``Search``: around the goal; the warm start is a candidate.

        Raises:
            ArmillaryError: the simulator does not tell where things can be picked up, or actions
                are no pick and place.
        """
        situation, (horizon, size) = situated(problem.score, "planner=object_cem"), problem.shape
        goal = situation.goal
        handles, wanted = (one.to(problem.mean) for one in self._picked(situation))
        if size != 2 * handles.shape[-1]:
            raise ArmillaryError(
                f"planner=object_cem needs actions of {2 * handles.shape[-1]} numbers, a pick and "
                f"a place; the task's have {size}, and planner=cem fits"
            )
        if self.displacements and [*map(list, self.displacements)] != [[*range(size // 2, size)]]:
            raise ArmillaryError(
                "planner=object_cem needs displacements to be the second half of an action, "
                f"[{[*range(size // 2, size)]}], or none, got {self.displacements}"
            )
        if goal.shown is not None:  # what the goal does not show is moved aside, from where it is
            wanted = torch.where(goal.shown.unsqueeze(-1) > 0, wanted, handles)
        objects = goal.objects.to(handles)
        objects = torch.where(objects.sum(1, keepdim=True) > 0, objects, torch.ones_like(objects))
        shares = (objects / objects.sum(1, keepdim=True)).unsqueeze(1).expand(-1, horizon, -1)
        places = wanted.unsqueeze(1).expand(-1, horizon, -1, -1)
        spreads = (self.std * self._half(problem)).expand_as(places)
        std = self.std * problem.half_range
        now = Moves(
            *(problem, problem.mean, std),
            things=_unknown(problem.mean, horizon),
            objects=objects > 0,
            handles=handles,
            shares=shares,
            places=places,
            spreads=spreads,
        )
        return self._drawn(now, problem.mean)

    def update(self, distribution: Moves, candidates: Tensor, scores: Tensor) -> Moves:
        """See ``Search``."""
        ranked = scores.topk(self.elites, 1, largest=False).indices.unsqueeze(2)
        elites = candidates.gather(1, ranked.expand(-1, -1, candidates.shape[2]))
        mean, std = refit(elites, distribution.mean, distribution.std, 0.0)
        actions = elites.unflatten(2, distribution.problem.shape)
        drawn = distribution.things  # what is proposed comes after them
        rest = _unknown(candidates[:, drawn.shape[1] :], drawn.shape[2])
        things = torch.cat([drawn, rest], 1).gather(1, ranked.expand(-1, -1, drawn.shape[2]))
        chosen, put = self._followed(distribution, actions, things)
        count = chosen.sum(1)
        places = (chosen * put).sum(1) / count.clamp_min(1.0)
        square = (chosen * (put - places.unsqueeze(1)).square()).sum(1) / count.clamp_min(1.0)
        least = self.min_std * self._half(distribution.problem)
        shares = chosen[..., 0].mean(1).lerp(distribution.shares, self.momentum)
        now = Moves(
            *(distribution.problem, mean, std),
            things=drawn,
            objects=distribution.objects,
            handles=distribution.handles,
            shares=shares,
            places=torch.where(count > 0, places, distribution.places),
            spreads=torch.where(count > 1, square.sqrt().maximum(least), distribution.spreads),
        )
        return self._drawn(now, elites[:, :1])

    def _picked(self, situation: Situation) -> tuple[Tensor, Tensor]:
        """(B, K, P) where things can be picked up, now and where the goal has them."""
        goal, here = situation.goal, situation.simulator.view(situation.state)
        if self.space == "image":
            return here.positions, goal.positions
        return here.handles, goal.handles

    def _half(self, problem: Problem) -> Tensor:
        """(P,) half the range of each number of a place."""
        return problem.half_range[self._placing(problem)]

    def _placing(self, problem: Problem) -> slice:
        """The numbers of an action that have the bounds of places."""
        size = problem.shape[1]
        return slice(0, size // 2) if self.displacements else slice(size // 2, size)

    def _put(self, problem: Problem, here: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Second halves of actions that put things (..., P) at places, and where they end up."""
        if not self.displacements:
            return place, place
        second = slice(problem.shape[1] // 2, problem.shape[1])
        way = (place - here).clamp(problem.low[second], problem.high[second])
        return way, here + way

    def _drawn(self, now: Moves, others: Tensor) -> Moves:
        """The same, carrying candidates drawn from it, and others (B, E, T * A)."""
        problem = now.problem
        count, horizon = self.samples - others.shape[1], problem.shape[0]
        size, uniform, normal, off = now.handles.shape[-1], [], [], []
        for generator in problem.generators:
            settings = {"generator": generator, "device": generator.device, "dtype": others.dtype}
            uniform.append(torch.rand(count, horizon, 1, **settings))
            normal.append(torch.randn(count, horizon, size, **settings))
            if self.pick_std > 0:
                off.append(torch.randn(count, horizon, size, **settings))
        # Summed one by one, since cumsum on CUDA is not the same every time.
        ends = torch.stack([*accumulate(now.shares.unbind(-1), torch.add)], -1).unsqueeze(1)
        last = (now.shares > 0).long().mul(torch.arange(ends.shape[-1], device=ends.device))
        things = (
            (torch.stack(uniform).to(others) >= ends).sum(-1).minimum(last.amax(-1).unsqueeze(1))
        )
        picked = _rows(things, size)
        places, spreads = (
            part.unsqueeze(1).expand(-1, count, -1, -1, -1).gather(3, picked).squeeze(3)
            for part in (now.places, now.spreads)
        )
        put = torch.addcmul(places, spreads, torch.stack(normal).to(others))
        placing = self._placing(problem)
        put = put.clamp(problem.low[placing], problem.high[placing])
        where = now.handles.unsqueeze(1).expand(-1, count, -1, -1)
        beside = torch.stack(off).to(others) * self.pick_std * self._half(problem) if off else None
        actions = []
        for step in range(horizon):
            thing = picked[:, :, step]
            here = where.gather(2, thing)[:, :, 0]
            second, there = self._put(problem, here, put[:, :, step])
            pick = here if beside is None else here + beside[:, :, step]
            actions += [pick, second]
            where = where.scatter(2, thing, there.unsqueeze(2))
        now.carried = torch.cat([others, torch.cat(actions, -1)], 1)
        now.things = torch.cat([_unknown(others, horizon), things], 1)
        return now

    def _followed(self, now: Moves, actions: Tensor, things: Tensor) -> tuple[Tensor, Tensor]:
        """(B, E, T, A) -> which thing is picked, the nearest if not known, and where it is put.

        The first is (B, E, T, K, 1), 1 for that thing, else 0; the second (B, E, T, 1, P).
        """
        size = now.handles.shape[-1]
        where = now.handles.unsqueeze(1).expand(-1, actions.shape[1], -1, -1)
        chosen, put = [], []
        for action, known in zip(actions.unbind(2), things.unbind(2), strict=True):
            apart = (where - action[..., None, :size]).square().sum(-1)
            apart = apart.masked_fill(~now.objects.unsqueeze(1), torch.inf)
            thing = torch.where(known >= 0, known, apart.argmin(-1))
            rows = _rows(thing, size)
            there = action[..., None, size:]
            if self.displacements:
                there = there + where.gather(2, rows)
            chosen.append(functional.one_hot(thing, where.shape[2]).to(actions))
            put.append(there)
            where = where.scatter(2, rows, there)
        return torch.stack(chosen, 2).unsqueeze(-1), torch.stack(put, 2)


def _unknown(candidates: Tensor, horizon: int) -> Tensor:
    """(B, E, T): of candidates (B, E, T * A) is not known what they pick."""
    return candidates.new_full((*candidates.shape[:2], horizon), -1, dtype=torch.long)


def _rows(things: Tensor, size: int) -> Tensor:
    """Numbers of things (...) -> (..., 1, size), to gather their rows with."""
    return things[..., None, None].expand(*things.shape, 1, size)
