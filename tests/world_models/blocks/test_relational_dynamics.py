"""The relational layer against its definition, written out pair by pair."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.world_models.blocks.relational_dynamics import RelationalDynamics, RelationalLayer

WIDTH, HEADS = 8, 2


def by_definition(layer: RelationalLayer, nodes: Tensor, place: Tensor) -> Tensor:
    """One scene: nodes (K, W) and places (K, 2) -> the new nodes (K, W)."""
    normed = layer.norm(nodes)
    collected = []
    for i, receiver in enumerate(normed):
        messages = []
        for j, sender in enumerate(normed):
            offset = place[j] - place[i]
            geometry = torch.cat([offset, offset.norm().unsqueeze(0)])
            parts = layer.receive(receiver), layer.send(sender), layer.edge(geometry)
            messages.append(sum(parts, torch.zeros(WIDTH)).relu())
        weights = layer.score(torch.stack(messages)).softmax(0)
        heads = torch.stack(messages).unflatten(1, (HEADS, -1))
        collected.append((weights.unsqueeze(-1) * heads).sum(0).flatten())
    nodes = nodes + layer.collect(torch.stack(collected))
    return nodes + layer.mlp(nodes)


@pytest.mark.parametrize(("slots", "count"), [(1, 3), (2, 1), (4, 5)])
def test_a_layer_computes_its_definition(slots: int, count: int) -> None:
    torch.manual_seed(0)
    layer = RelationalLayer(WIDTH, HEADS)
    nodes, place = torch.randn(slots, count, WIDTH), torch.randn(slots, count, 2)
    distance = (place.unsqueeze(0) - place.unsqueeze(1)).norm(dim=-1)
    scenes = [by_definition(layer, nodes[:, n], place[:, n]) for n in range(count)]
    assert_close(layer(nodes, place, distance), torch.stack(scenes, 1), atol=1e-5, rtol=1e-5)


def test_gradients_reach_every_parameter_and_input() -> None:
    torch.manual_seed(0)
    dynamics = RelationalDynamics(6, 2, WIDTH, layers=2, heads=HEADS, reach=0.2)
    torch.nn.init.normal_(dynamics.change.weight)
    shapes = [(3, 4, 6), (3, 4, 2), (3, 4, 2), (3, 2)]
    inputs = [torch.rand(shape, requires_grad=True) for shape in shapes]
    change, nodes = dynamics(*inputs)
    assert change.shape == (3, 4, 8)
    (change.square().sum() + dynamics.std(nodes).square().sum()).backward()
    for tensor in [*inputs, *dynamics.parameters()]:
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
