"""Which of the processes that share a command keeps its directory: the first."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from armillary.world_models.training.engine import follows


def is_follower(config: DictConfig) -> bool:
    """Whether the command runs in several processes and this one is not the first.

    A follower keeps no record, no log and no results; it takes part and ends.

    Args:
        config: of the verb; ``trainer.devices`` and ``trainer.nodes`` say how many processes.
    """
    counts = [OmegaConf.select(config, f"trainer.{name}") or 1 for name in ("devices", "nodes")]
    return counts[0] * counts[1] > 1 and follows()
