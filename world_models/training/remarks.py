"""What a user should know about how a training run ended, in words."""

from __future__ import annotations

from armillary.world_models.training.config import TrainerConfig
from armillary.world_models.training.run import Outcome

ENOUGH = 0.98
"""Share of its steps from which a stage counts as done."""


def remarks(config: TrainerConfig, outcome: Outcome) -> list[str]:
    """Sentences about a run that ended; none where all is well.

    Says so if a stage did not get the steps it should have, and if the model predicts worse than
    copying the last frame would; each with what to change.
    """
    if outcome.interrupted:
        return []
    return [*_cut_short(config, outcome), *_worse_than_copying(config, outcome)]


def _cut_short(config: TrainerConfig, outcome: Outcome) -> list[str]:
    done = outcome.stage_steps
    if not done:
        return []
    if any(stage.steps is None for stage in config.stages):  # shares of what is bounded by steps
        most = config.max_steps or 0
        short = [f"it did {outcome.step} of {most} steps"] * (outcome.step < ENOUGH * most)
    else:
        short = [
            f"stage {index + 1} ({stage.objective}) did {done.get(index, 0)} of {stage.steps} steps"
            for index, stage in enumerate(config.stages)
            if done.get(index, 0) < ENOUGH * (stage.steps or 0)
        ]
    if not short or (config.max_steps is None and config.max_minutes is None):
        return []
    ended = config.max_steps is not None and outcome.step >= config.max_steps
    bound = "max_steps" if ended or config.max_minutes is None else "max_minutes"
    return [
        f"Training was cut short by {bound}={getattr(config, bound):g}: {'; '.join(short)}. Raise "
        "the bound, or leave more of the machine to it."
    ]


def _worse_than_copying(config: TrainerConfig, outcome: Outcome) -> list[str]:
    metrics = outcome.metrics
    if "open_loop_psnr" not in metrics or "copy_psnr" not in metrics:
        return []
    imagined, copied = metrics["open_loop_psnr"], metrics["copy_psnr"]
    if config.best_metric == "open_loop_psnr":  # the checkpoint that is used
        imagined = max(imagined, outcome.best)
    if imagined >= copied:
        return []
    cause = "It has not learnt how things move: give the stages that train the dynamics more steps"
    if metrics.get("context_psnr", copied) < copied:
        cause = "It does not even show what it has just seen: give the first stage more steps"
    return [
        f"The model predicts worse than copying the last frame: {imagined:.1f} against "
        f"{copied:.1f} dB, so plans with it will hardly succeed. {cause} (trainer.max_steps, "
        "trainer.max_minutes), more episodes, or a lower learning_rate."
    ]
