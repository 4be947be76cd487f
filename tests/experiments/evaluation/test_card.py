"""Cards hold what everybody can run again, and nothing that runs code."""

from __future__ import annotations

import pytest

from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.card import cards_of, words_of
from armillary.world_models.checkpoints.locate import bundled_checkpoints


def test_words_that_outcomes_depend_on_are_kept() -> None:
    words = [
        "task=push_blocks",
        "planner=icem",
        "planner.samples=100",
        "planner.std=0.7",
        "planner.proposals=[shifted,inverse_dynamics]",
        "task.environment.num_blocks=4",
        "goal=image",
        "episodes=20",
        "objective.risk=cvar:0.2",
    ]
    ignored = ["output=runs/x", "batch=5", "workers=0", "simulators=[a/b]", "card=true"]
    assert words_of([*ignored, *words]) == words


@pytest.mark.parametrize(
    "word",
    [
        "planner=mine.yaml",
        "planner=../elsewhere.yaml",
        "planner._target_=subprocess.run",
        "planner._target_=run",
        "objective.risk=os:system",
        "objective.risk=cvar:0.2:x",
        "+planner.more=1",
        "~planner",
        "task.environment.id=os:Thing-v0",
        "environment=os:Thing-v0",
        "objective.terms.a.cost.path=os.system",
        "planner.proposals_from=runs/proposals",
        "hydra.run.dir=x",
        "simulator.device=${oc.env:HOME}",
        "planner.samples=[[1]]x",
    ],
)
def test_words_that_name_files_modules_or_classes_are_refused(word: str) -> None:
    with pytest.raises(UsageError, match="is none"):
        words_of([word])


@pytest.mark.parametrize("checkpoint", bundled_checkpoints())
def test_every_bundled_checkpoint_has_a_card_of_its_own_weights(checkpoint: str) -> None:
    for card in cards_of(checkpoint):
        assert card.row.simulator == checkpoint
        assert card.row.task == checkpoint.split("/")[1]
        assert card.row.episodes >= 100
    assert cards_of(checkpoint)
