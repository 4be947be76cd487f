"""DINOv2: the authors' names and shapes, what is refused, what a checkpoint needs no longer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from armillary.world_models.checkpoints.checkpoint import load_model, read_info, save_checkpoint
from armillary.world_models.monolithic import dinov2
from armillary.world_models.monolithic.dinov2 import DinoV2
from armillary.world_models.registry import build_model

TINY = {"image_size": 8, "action_size": 2, "grid": 2, "width": 8, "conv_channels": 4}


def weights(name: str) -> dict[str, Tensor]:
    """Random numbers with the names and shapes of the authors' files."""
    width, depth, _ = dinov2.SIZES[name]
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1370, width),
        "mask_token": (1, width),
        "patch_embed.proj.weight": (width, 3, 14, 14),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    of_block = {
        "norm1.weight": (width,),
        "norm1.bias": (width,),
        "attn.qkv.weight": (3 * width, width),
        "attn.qkv.bias": (3 * width,),
        "attn.proj.weight": (width, width),
        "attn.proj.bias": (width,),
        "ls1.gamma": (width,),
        "norm2.weight": (width,),
        "norm2.bias": (width,),
        "mlp.fc1.weight": (4 * width, width),
        "mlp.fc1.bias": (4 * width,),
        "mlp.fc2.weight": (width, 4 * width),
        "mlp.fc2.bias": (width,),
        "ls2.gamma": (width,),
    }
    shapes |= {f"blocks.{i}.{key}": shape for i in range(depth) for key, shape in of_block.items()}
    generator = torch.Generator().manual_seed(0)
    return {key: 0.1 * torch.randn(shape, generator=generator) for key, shape in shapes.items()}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(dinov2.SIZES, "tiny", (12, 2, 2))
    return weights("tiny")


def test_the_small_models_weights_are_loaded_by_name(tmp_path):
    given = weights("dinov2_vits14")
    torch.save(given, tmp_path / "dinov2_vits14_pretrain.pth")
    model = DinoV2("dinov2_vits14", grid=2)
    model.load(tmp_path / "dinov2_vits14_pretrain.pth")
    loaded = model.state_dict()
    assert {*given} - {*loaded} == {"mask_token"}
    for name in {*loaded} - {"pos_embed"}:
        assert torch.equal(loaded[name], given[name]), name
    assert sum(parameter.numel() for parameter in model.parameters()) > 21e6
    patches = model(torch.rand(2, 3, 28, 28))
    assert patches.shape == (2, 4, 384)
    assert patches.isfinite().all()
    assert not patches.requires_grad


def test_positions_are_kept_at_the_authors_size_and_resized_elsewhere(tiny, tmp_path):
    tiny["pos_embed"] = torch.linspace(0, 1, 37).repeat(37)[None, :, None].expand(1, -1, 12)
    tiny["pos_embed"] = torch.cat([torch.full((1, 1, 12), 7.0), tiny["pos_embed"]], 1)
    torch.save(tiny, tmp_path / "w.pth")
    same, smaller = DinoV2("tiny", 37), DinoV2("tiny", 4)
    for model in (same, smaller):
        model.load(tmp_path / "w.pth")
        assert model.pos_embed[0, 0, 0] == 7.0
    assert torch.equal(same.pos_embed, tiny["pos_embed"])
    rows = smaller.pos_embed[0, 1:, 0].view(4, 4)
    assert torch.allclose(rows, rows[:1].expand(4, -1), atol=1e-5)
    assert torch.allclose(rows[0], torch.tensor([0.11, 0.36, 0.61, 0.87]), atol=0.03)


def test_a_checkpoint_needs_the_file_no_longer(tiny, tmp_path):
    torch.save(tiny, tmp_path / "w.pth")
    model = build_model("patch_dynamics", **TINY, features="tiny", weights=str(tmp_path / "w.pth"))
    save_checkpoint(tmp_path / "kept", model, step=1)
    (tmp_path / "w.pth").unlink()
    assert read_info(tmp_path / "kept").model["hyperparameters"]["weights"] is None
    loaded = load_model(tmp_path / "kept")
    frames = torch.rand(1, 1, 3, 8, 8)
    states = [m.eval().encode(frames, torch.zeros(1, 0, 2)) for m in (model, loaded)]
    assert torch.equal(states[0].patches, states[1].patches)


def test_training_without_weights_is_refused(tiny):
    model = build_model("patch_dynamics", **TINY, features="tiny")
    with pytest.raises(ValueError, match=r"weights=FILE, such as tiny_pretrain\.pth"):
        model.trainable("joint")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("norm.bias"), "no weights of tiny: 'norm.bias': the model wants"),
        (lambda w: w.update(register_tokens=torch.zeros(1, 4, 12)), "'register_tokens'"),
        (lambda w: w.update(cls_token=torch.zeros(1, 1, 13)), r"the file holds \(1, 1, 13\)"),
        (lambda w: w["norm.bias"].fill_(torch.nan), "NaN"),
    ],
)
def test_other_files_are_refused(tiny, tmp_path, change, message):
    change(tiny)
    torch.save(tiny, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=message):
        DinoV2("tiny", 2).load(tmp_path / "w.pth")


def test_a_missing_file_is_told(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"none\.pth"):
        DinoV2("tiny", 2).load(tmp_path / "none.pth")
