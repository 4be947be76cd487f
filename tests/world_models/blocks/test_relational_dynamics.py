"""The relational layer against its definition, written out pair by pair."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.world_models.blocks.relational_dynamics import RelationalDynamics, RelationalLayer

WIDTH, HEADS = 8, 2


def by_definition(
    layer: RelationalLayer, nodes: Tensor, place: Tensor, sizes: tuple[int, ...]
) -> Tensor:
    """One scene: nodes (K, W) and places (K, P) -> the new nodes (K, W)."""
    normed = layer.norm(nodes)
    collected = []
    for i, receiver in enumerate(normed):
        messages = []
        for j, sender in enumerate(normed):
            offset = place[j] - place[i]
            lengths = torch.stack([part.norm() for part in offset.split(sizes)])
            geometry = torch.cat([offset, lengths])
            parts = layer.receive(receiver), layer.send(sender), layer.edge(geometry)
            messages.append(sum(parts, torch.zeros(WIDTH)).relu())
        weights = layer.score(torch.stack(messages)).softmax(0)
        heads = torch.stack(messages).unflatten(1, (HEADS, -1))
        collected.append((weights.unsqueeze(-1) * heads).sum(0).flatten())
    nodes = nodes + layer.collect(torch.stack(collected))
    return nodes + layer.mlp(nodes)


@pytest.mark.parametrize("sizes", [(2,), (2, 3)])
@pytest.mark.parametrize(("slots", "count"), [(1, 3), (2, 1), (4, 5)])
def test_a_layer_computes_its_definition(slots: int, count: int, sizes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = RelationalLayer(WIDTH, HEADS, sizes)
    nodes, place = torch.randn(slots, count, WIDTH), torch.randn(slots, count, sum(sizes))
    distances = [(at.unsqueeze(0) - at.unsqueeze(1)).norm(dim=-1) for at in place.split(sizes, -1)]
    scenes = [by_definition(layer, nodes[:, n], place[:, n], sizes) for n in range(count)]
    assert_close(layer(nodes, place, distances), torch.stack(scenes, 1), atol=1e-5, rtol=1e-5)


def test_what_lies_how_in_the_scene_is_seen_where_it_is_asked_for() -> None:
    torch.manual_seed(0)
    dynamics = RelationalDynamics(6, 2, WIDTH, layers=1, heads=HEADS, reach=0.2, in_scene=3)
    inputs = [torch.randn(shape) for shape in ((2, 4, 6), (2, 4, 2), (2, 4, 2), (2, 2))]
    scene = torch.randn(2, 4, 3)
    nodes = dynamics(*inputs, scene=scene)[1]
    moved = scene.clone()
    moved[:, 1, 2] += 1.0  # one thing is higher
    changed = dynamics(*inputs, scene=moved)[1] - nodes
    assert changed.abs().amax((0, 2)).min() > 1e-4, "all see it, as their neighbour"


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


def test_places_and_motions_are_seen_in_units_of_the_reach() -> None:
    torch.manual_seed(0)
    near = RelationalDynamics(6, 2, WIDTH, layers=2, heads=HEADS, reach=0.2)
    far = RelationalDynamics(6, 2, WIDTH, layers=2, heads=HEADS, reach=0.4)
    far.load_state_dict(near.state_dict())
    content, action = torch.randn(3, 4, 6), torch.randn(3, 2)
    place, motion = torch.randn(3, 4, 2), torch.randn(3, 4, 2)
    change, nodes = near(content, 0.5 + 0.2 * place, 0.2 * motion, action)
    wide, wide_nodes = far(content, 0.5 + 0.4 * place, 0.4 * motion, action)
    assert_close(nodes, wide_nodes)
    assert not change.any(), "nothing moves before training"
    assert torch.equal(change, wide)
    assert not torch.allclose(nodes, near(content, 0.5 - 0.2 * place, 0.2 * motion, action)[1])
    assert_close(near.std(nodes), near.scale(nodes) + 1e-3, rtol=0.0, atol=1e-7)
    torch.nn.init.constant_(near.scale[0].bias, -1e4)
    assert_close(near.std(nodes), torch.full((3, 4, 8), 1e-3))
