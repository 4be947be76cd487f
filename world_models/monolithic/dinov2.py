"""DINOv2's vision transformer, frozen, with weights that the user brings."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from armillary.errors import ArmillaryError
from armillary.world_models.checkpoints import pickled
from armillary.world_models.checkpoints.weights import check_finite, differences

SIZES = {"dinov2_vits14": (384, 12, 6), "dinov2_vitb14": (768, 12, 12)}
"""Width, layers and heads, by the names that the authors give to their models."""
_PATCH = 14
_TRAINED_ON = 37
"""Patches along a side of the images whose positions were learned."""
_OFFSET = 0.1
"""Which the authors add to a grid when they resize positions, against rounding."""
_UNUSED = "mask_token"


class DinoV2(nn.Module):
    """A vision transformer without registers (Oquab et al. 2023, 2304.07193); never trained.

    Its parts are named as the authors name them, so that their file fits as it is. Its first token
    is zero until weights are loaded.

    Args:
        name: one of ``SIZES``.
        grid: patches along a side, P = grid^2; frames are resized to 14 pixels for each.
    """

    frozen = True

    def __init__(self, name: str, grid: int) -> None:
        super().__init__()
        width, depth, heads = SIZES[name]
        self.name, self.grid, self.feature_size = name, grid, width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid**2, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, _PATCH, _PATCH)})
        self.blocks = nn.Sequential(*[_Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mean: Tensor
        self.std: Tensor
        mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    @torch.no_grad()
    def forward(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> (N, P, E), the authors' ``x_norm_patchtokens``."""
        size = (_PATCH * self.grid, _PATCH * self.grid)
        frames = F.interpolate(frames, size, mode="bilinear", align_corners=False)
        seen = self.patch_embed["proj"]((frames - self.mean) / self.std)
        tokens = seen.flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], 1)
        return self.norm(self.blocks(tokens + self.pos_embed))[:, 1:]

    def check(self) -> None:
        """Raises ArmillaryError where weights were never loaded."""
        if not bool(self.cls_token.any()):
            raise ArmillaryError(
                f"features={self.name} are not trained here and need the authors' weights: "
                f"weights=FILE, such as {self.name}_pretrain.pth"
            )

    def load(self, path: str | Path) -> None:
        """Takes the weights of the authors' file; positions are resized to the grid as they do.

        Args:
            path: a file of ``torch.save`` with the state dictionary, read without running code.

        Raises:
            ArmillaryError: it is missing, damaged, no dictionary, or of another model.
        """
        where = Path(path).expanduser()
        found = {k: v for k, v in pickled.load(where).items() if k != _UNUSED}
        wanted = self.state_dict()
        places = torch.empty(1, 1 + _TRAINED_ON**2, self.feature_size, device="meta")
        problems = differences(found, {**wanted, "pos_embed": places})
        if problems:
            raise ArmillaryError(
                f"{where} holds no weights of {self.name}: {'; '.join(problems[:3])}"
            )
        check_finite(found, where)
        first, places = found["pos_embed"].float().split([1, _TRAINED_ON**2], 1)
        if self.grid != _TRAINED_ON:
            image = places.transpose(1, 2).unflatten(2, (_TRAINED_ON, _TRAINED_ON))
            scale = (self.grid + _OFFSET) / _TRAINED_ON
            image = F.interpolate(image, scale_factor=(scale, scale), mode="bicubic")
            places = image.flatten(2).transpose(1, 2)
        self.load_state_dict({**found, "pos_embed": torch.cat([first, places], 1)})


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        parts = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(*parts.unbind(0))
        return self.proj(seen.transpose(1, 2).flatten(2))


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(tokens)))


class _Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens * self.gamma


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _Attention(width, heads)
        self.ls1 = _Scale(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = _Mlp(width)
        self.ls2 = _Scale(width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens)))
        return tokens + self.ls2(self.mlp(self.norm2(tokens)))
