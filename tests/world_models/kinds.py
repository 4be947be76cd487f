"""Every kind of model that comes with the package, small: for tests of all of them."""

from __future__ import annotations

from typing import Any

from armillary.world_models.model import WorldModel
from armillary.world_models.registry import build_model
from tests.world_models.test_published_models import FRAMEWISE, SLOTS

SMALL: dict[str, Any] = {"image_size": 32, "action_size": 2, "num_slots": 4}
SECOND_EDITION: dict[str, Any] = {
    "predictor": "rediscover",
    "context_length": 1,
    "color_affinity": 40.0,
    "third_moments": True,
    "mask_weights": [60.0, 2.0],
    "content_units": "variance",
    "motion": False,
}
ALL_OF_IT: dict[str, Any] = {
    "absent": 0.1,
    "brightness": 0.3,
    "gated": True,
    "points": [[0, 1]],
    "readout": [[0, 1]],
    "readout_layers": 1,
    "orientation_weight": 1.0,
}
STILL_CAMERA: dict[str, Any] = {
    "absent": 0.1,
    "background": "image",
    "permanence": 25.0,
    "displacement": [0, 1],
    "readout_layers": 1,
    "handle_weight": 0.3,
    "in_scene": True,
}
MODELS: dict[str, dict[str, Any]] = {
    "slot_dynamics": SMALL,
    "second_edition": {**SMALL, **SECOND_EDITION, **ALL_OF_IT},
    "still_camera": {**SMALL, **SECOND_EDITION, **STILL_CAMERA},
    **dict.fromkeys(("sdvae", "sdvae_davos", "op3", "ssm"), SLOTS),
    **dict.fromkeys(("vrnn", "vrnn_star"), FRAMEWISE),
    "rssm": {"image_size": 16, "action_size": 2},
    "patch_dynamics": {"image_size": 16, "action_size": 2},
}
_REGISTERED = dict.fromkeys(("second_edition", "still_camera"), "slot_dynamics")


def small(kind: str, **changes: Any) -> WorldModel:
    """The model of a kind in ``MODELS``, or of a name that is registered."""
    settings = {**MODELS.get(kind, {}), **changes}
    return build_model(_REGISTERED.get(kind, kind), **settings)
