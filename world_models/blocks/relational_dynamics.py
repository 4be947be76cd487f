"""Relational transformer: how slots move each other under an action."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_SILENT = -1e4
"""The score of what is not heard; half precision has room for it."""


def chosen(actions: Tensor, numbers: Sequence[int]) -> Tensor:
    """(..., A) -> (..., P), some numbers of actions; no index is sent to a device."""
    return torch.stack([actions[..., number] for number in numbers], -1)


class RelationalLayer(nn.Module):
    """One round of attention between slots, over messages that know the pair's geometry.

    Messages ``m_ij = relu(R h_i + S h_j + E [p_j - p_i, |p_j - p_i|])`` are both attended to and
    summed, as in relational attention (Diao & Loynd 2023) with the additive scores of GATv2 (Brody
    et al. 2022). No weight depends on the slots' order: the layer is permutation-equivariant.

    Args:
        width: W, of the nodes.
        heads: of attention.
        sizes: numbers of each place that a slot has: in the image and, maybe, in the scene.
    """

    def __init__(self, width: int, heads: int, sizes: Sequence[int] = (2,)) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.receive = nn.Linear(width, width)
        self.send = nn.Linear(width, width, bias=False)
        self.edge = nn.Linear(sum(sizes) + len(sizes), width, bias=False)
        self.score = nn.Linear(width, heads)
        self.collect = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.ReLU(inplace=True),
            nn.Linear(2 * width, width),
        )

    def forward(
        self,
        nodes: Tensor,
        place: Tensor,
        distances: Sequence[Tensor],
        present: Tensor | None = None,
    ) -> Tensor:
        """One round.

        Args:
            nodes: (K, N, W).
            place: (K, N, P), all places of each slot.
            distances: (K, K, N) between the slots' first places, their second ones, ...
            present: (K, N) bool, which nodes the others hear; None for all.

        Returns:
            The new nodes (K, N, W).
        """
        slots, count, width = nodes.shape
        # Features first and the batch last: what is done to the messages then runs over long rows.
        normed, place = self.norm(nodes).flatten(0, 1).T, place.flatten(0, 1).T
        # E is linear: its part for p_j - p_i is taken off the receiver and added to the sender.
        numbers = len(place)
        shift = self.edge.weight[:, :numbers] @ place
        bias = self.receive.bias.unsqueeze(1) - shift
        receive = torch.addmm(bias, self.receive.weight, normed).view(width, slots, 1, count)
        send = torch.addmm(shift, self.send.weight, normed).view(width, 1, slots, count)
        messages = receive + send
        for number, distance in enumerate(distances, numbers):
            messages.addcmul_(distance, self.edge.weight[:, number].view(-1, 1, 1, 1))
        messages.relu_()
        scores = torch.addmm(self.score.bias.unsqueeze(1), self.score.weight, messages.flatten(1))
        scores = scores.view(self.heads, 1, slots, slots, count)
        if present is not None:
            scores = scores.masked_fill(~present, _SILENT)
        attention = scores.softmax(3)
        split = messages.view(self.heads, -1, slots, slots, count)
        collected = attention[:, :, :, 0] * split[:, :, :, 0]
        for sender in range(1, slots):  # a product of all at once would not fit the cache
            collected.addcmul_(attention[:, :, :, sender], split[:, :, :, sender])
        nodes = nodes + self.collect(collected.view(width, -1).T).view_as(nodes)
        return nodes + self.mlp(nodes)


class RelationalDynamics(nn.Module):
    """Predicts the change of every slot's content and position, and how sure that is.

    Args:
        content_size: Z.
        action_size: A.
        width: width of the nodes.
        layers: rounds of attention.
        heads: attention heads.
        reach: unit of length of relative positions, in image widths.
        gated: whether a slot's change is weighed by a gate of its own, which says easily that it
            stays as it is.
        points: groups of numbers of an action, each of which is a point in the scene, by index: of
            each, slots know where it is as seen from them. The projection to the image is learned.
        scene_size: P, numbers of a slot's place in the scene, where that is known: points are then
            seen from there, too, unprojected. Each has as many numbers.
        in_scene: numbers of the slots' places in the scene, where each one is to see its own and
            how the others lie to it there; 0 where they do not.
    """

    def __init__(
        self,
        content_size: int,
        action_size: int,
        width: int,
        layers: int,
        heads: int,
        reach: float,
        gated: bool = False,
        points: Sequence[Sequence[int]] = (),
        scene_size: int = 0,
        in_scene: int = 0,
    ) -> None:
        super().__init__()
        self.reach = reach
        self.in_scene = in_scene
        self.points = [list(point) for point in points]
        inputs = content_size + 4 + action_size + (2 + scene_size) * len(self.points)
        sizes = (2, in_scene) if in_scene else (2,)
        self.embed = nn.Linear(inputs + in_scene, width)
        self.layers = nn.ModuleList(RelationalLayer(width, heads, sizes) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.change = nn.Linear(width, content_size + 2)
        self.scale = nn.Sequential(nn.Linear(width, content_size + 2), nn.Softplus())
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)
        self.gate = nn.Linear(width, 1) if gated else None
        self.project = nn.ModuleList(nn.Linear(len(point), 2) for point in self.points)

    def forward(
        self,
        content: Tensor,
        position: Tensor,
        motion: Tensor,
        action: Tensor,
        present: Tensor | None = None,
        offsets: Sequence[Tensor] = (),
        scene: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What one step does to each slot.

        Args:
            content: (N, K, Z).
            position: (N, K, 2) in [0, 1].
            motion: (N, K, 2) the last change of position.
            action: (N, A) normalised.
            present: (N, K) bool, which slots are there for the others; None for all.
            offsets: (N, K, P) of each point, from the slots' places in the scene to it.
            scene: (N, K, P) these places, with ``in_scene``.

        Returns:
            The mean change (N, K, Z + 2) of [content, position / reach] and the nodes (N, K, W), of
            which ``std`` makes the change's standard deviation.
        """
        if (scene is None) != (self.in_scene == 0):
            raise ValueError("scene must be given with in_scene, and not without it")
        content, position, motion = (x.transpose(0, 1) for x in (content, position, motion))
        place = (position - 0.5) / self.reach
        seen = [
            project(chosen(action, point)) - place
            for point, project in zip(self.points, self.project, strict=True)
        ]
        seen += [offset.transpose(0, 1) for offset in offsets]
        places = [place] if scene is None else [place, scene.transpose(0, 1)]
        seen += places[1:]
        action = action.expand(len(content), -1, -1)
        nodes = self.embed(torch.cat([content, place, motion / self.reach, action, *seen], -1))
        distances = [(at.unsqueeze(0) - at.unsqueeze(1)).norm(dim=-1) for at in places]
        both = torch.cat(places, -1)
        heard = None if present is None else present.T
        for layer in self.layers:
            nodes = layer(nodes, both, distances, heard)
        nodes = self.norm(nodes)
        change = self.change(nodes)
        if self.gate is not None:
            change = change * self.gate(nodes).sigmoid()
        return change.transpose(0, 1), nodes.transpose(0, 1)

    def std(self, nodes: Tensor) -> Tensor:
        """(N, K, W) -> standard deviation (N, K, Z + 2) of the change."""
        return self.scale(nodes) + 1e-3
