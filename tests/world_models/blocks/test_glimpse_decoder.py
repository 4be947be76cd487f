"""The glimpse decoder: a background's patch covers the image, an object's what is around it."""

from __future__ import annotations

import torch

from armillary.world_models.blocks.glimpse_decoder import GlimpseDecoder
from armillary.world_models.blocks.slot_attention import token_grid
from armillary.world_models.state import Scene

SIZE, PATCH, EXTENT = 32, 4, 0.2


def decode(patches: torch.Tensor, position: list[list[float]]) -> Scene:
    """Pastes one patch (4, PATCH, PATCH) per slot, whatever the content is."""
    decoder = GlimpseDecoder(1, SIZE, PATCH, EXTENT, hidden=3)
    decoder.net = torch.nn.Identity()
    with torch.no_grad():
        return decoder(patches.flatten(1).unsqueeze(0), torch.tensor([position]))


def ramps(slots: int) -> torch.Tensor:
    """Patches whose logits of red, green, blue and mask are x, y, 1 and 3, in cells."""
    y, x = torch.meshgrid(torch.arange(PATCH), torch.arange(PATCH), indexing="ij")
    ones = torch.ones_like(x)
    return torch.stack([x, y, ones, 3 * ones]).float().expand(slots, 4, PATCH, PATCH)


def test_the_backgrounds_patch_reaches_from_edge_to_edge_and_nowhere_fades() -> None:
    scene = decode(ramps(1), [[0.5, 0.5]])
    places = (PATCH - 1) * token_grid(SIZE).T.view(2, SIZE, SIZE)
    logits = scene.components[0, 0].logit()
    assert torch.allclose(logits[:2], places, atol=1e-4)
    assert torch.allclose(logits[2], torch.ones(SIZE, SIZE), atol=1e-4)
    assert torch.equal(scene.masks, torch.ones_like(scene.masks))


def test_an_objects_patch_lies_around_its_place() -> None:
    patches = ramps(3).clone()
    patches[0, 3] = 0.0
    position = [[0.5, 0.5], [0.3, 0.6], [0.75, 0.25]]
    scene = decode(patches, position)
    grid = token_grid(SIZE)
    for slot in (1, 2):
        owned = scene.masks[0, slot, 0].flatten() > 0.5
        away = (grid - torch.tensor(position[slot])).abs().amax(1)
        assert owned[away < EXTENT * (PATCH - 1) / PATCH].all()
        assert not owned[away > EXTENT * (PATCH + 1) / PATCH].any()
        # In its middle it shows the middle of the patch, with x to the right and y downwards.
        near = (grid - torch.tensor(position[slot])).square().sum(1).argmin()
        offset = (grid[near] - torch.tensor(position[slot])) * PATCH / (2 * EXTENT)
        shown = scene.components[0, slot, :2].flatten(1)[:, near].logit()
        assert torch.allclose(shown, (PATCH - 1) / 2 + offset, atol=1e-4)
    assert torch.allclose(scene.masks.sum(1), torch.ones(1, 1, SIZE, SIZE))
