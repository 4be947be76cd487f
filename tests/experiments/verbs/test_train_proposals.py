"""The verb train-proposals: what it writes plans, and what does not fit is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from armillary.errors import ArmillaryError
from armillary.experiments.command.config import compose
from armillary.experiments.planning.entries import entry_of
from armillary.experiments.planning.kept import identity_of
from armillary.planners.proposals.learning import Settings, learn
from armillary.planners.proposals.recorded import Recorded
from armillary.planners.proposals.stored import TENSORS, load
from armillary.world_models.checkpoints.checkpoint import load_model, save_checkpoint
from armillary.world_models.checkpoints.locate import BUNDLED_ROOT
from tests.experiments.conftest import Command
from tests.experiments.tiny import tiny_model
from tests.experiments.verbs.test_benchmark import rows_of

QUICK = ["steps=3", "batch=8", "horizon=4"]
PLANNING = ["horizon=4", "replan_interval=4", "episodes=1"]


@pytest.fixture
def proposals(armillary: Command, checkpoint: Path, episodes: Path, tmp_path: Path) -> Path:
    words = [f"checkpoint={checkpoint}", f"data.path={episodes}", *QUICK, "episodes=3"]
    done = armillary("train-proposals", *words, "output=proposals")
    assert done.code == 0, done.err
    return tmp_path / "proposals"


def test_what_it_writes_is_small_and_told(proposals: Path, checkpoint: Path) -> None:
    stored = load(str(proposals))
    assert stored.path == proposals / "proposals"
    assert stored.network.horizon == 4
    assert stored.recorded.slots.shape[:2] == (3, 14)
    assert stored.about["checkpoint"] == str(checkpoint)
    assert stored.about["settings"] == {
        "steps": 3,
        "batch": 8,
        "learning_rate": 1e-3,
        "seed": 0,
        "effector": "moved",
    }
    found = json.loads((proposals / "results.json").read_text())
    assert (found["horizon"], found["episodes"]) == (4, 3)
    assert {*found["errors"]} == {"train_best", "train_trusted", "val_best", "val_trusted"}
    assert found["errors"]["val_best"] <= found["errors"]["val_trusted"]
    assert found["data"]["digest"]
    assert json.loads((proposals / "run.json").read_text())["status"] == "finished"


def test_slots_are_the_models_and_roles_those_that_planning_finds(
    proposals: Path, checkpoint: Path, episodes: Path
) -> None:
    stored, model = load(str(proposals)), load_model(checkpoint)
    assert stored.recorded.slots.shape[2:] == (model.num_slots, model.slot_size)
    assert (stored.recorded.effector.sum(1) == 1).all()
    assert ((stored.recorded.objects * stored.recorded.effector) == 0).all()


@pytest.mark.parametrize(("effector", "count"), [("moved", 1), ("moved_parts", 0), ("none", 0)])
def test_what_actions_move_is_found_as_plans_are_told(
    armillary: Command,
    checkpoint: Path,
    episodes: Path,
    tmp_path: Path,
    effector: str,
    count: int,
) -> None:
    """Next to nothing follows the actions in a model that has learnt nothing."""
    words = [f"checkpoint={checkpoint}", f"data.path={episodes}", *QUICK, f"effector={effector}"]
    assert armillary("train-proposals", *words, "output=parts").code == 0
    stored = load(str(tmp_path / "parts"))
    recorded = stored.recorded
    assert stored.about["settings"]["effector"] == effector
    assert (recorded.effector.sum(1) == count).all()
    assert ((recorded.objects * recorded.effector) == 0).all()


def test_the_loss_is_told_as_it_goes(
    armillary: Command, checkpoint: Path, episodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("armillary.experiments.verbs.train_proposals._LOOK_EVERY", 2)
    words = [f"checkpoint={checkpoint}", f"data.path={episodes}", *QUICK, "output=told"]
    assert armillary("train-proposals", *words).code == 0
    told = Path("told", "run.log").read_text()
    assert "step 2 of 3: loss" in told
    assert "step 3 of 3" not in told


def test_an_unknown_effector_is_told_before_anything_is_encoded(
    armillary: Command, checkpoint: Path, episodes: Path, tmp_path: Path
) -> None:
    words = [f"checkpoint={checkpoint}", f"data.path={episodes}", "effector=moved_part"]
    done = armillary("train-proposals", *words, "output=parts")
    assert done.code == 2
    assert "moved_parts" in done.err
    assert "are encoded" not in done.err
    assert not (tmp_path / "parts").exists()


def test_the_same_command_gives_the_same_bytes(
    armillary: Command, proposals: Path, checkpoint: Path, episodes: Path
) -> None:
    words = [f"checkpoint={checkpoint}", f"data.path={episodes}", *QUICK, "episodes=3"]
    for name, seed in (("same", 0), ("other", 1)):
        assert armillary("train-proposals", *words, f"output={name}", f"seed={seed}").code == 0
    tensors = [Path(name, "proposals", TENSORS) for name in (proposals, "same", "other")]
    first, same, other = (path.read_bytes() for path in tensors)
    assert first == same
    assert first != other


@pytest.mark.parametrize(
    ("words", "evaluations"),
    [
        (["planner=retrieval"], 1 + 3 + 1),
        (["planner=inverse_dynamics"], 1 + 12 + 1),
        (
            [
                *("planner=predictive_sampling", "planner.samples=5"),
                "planner.proposals=[shifted,retrieval,inverse_dynamics]",
            ],
            5 + 3 + 16 + 1,
        ),
    ],
)
def test_planners_take_them(
    armillary: Command, proposals: Path, checkpoint: Path, words: list[str], evaluations: int
) -> None:
    place = f"planner.proposals_from={proposals}"
    done = armillary(
        "benchmark", *words, place, f"simulators=[{checkpoint}]", *PLANNING, "output=bench"
    )
    assert done.code == 0, done.err
    (row,) = rows_of(Path("bench"))
    assert row["evaluations"] in (evaluations, evaluations - 1)  # the first plan has none before


@pytest.mark.parametrize(("effector", "told"), [("moved_parts", True), ("moved", False)])
def test_another_effector_is_told(
    armillary: Command, proposals: Path, checkpoint: Path, effector: str, told: bool
) -> None:
    done = armillary(
        *("plan", "planner=retrieval", f"planner.proposals_from={proposals}", "episodes=1"),
        *("horizon=4", f"goal.effector={effector}", f"checkpoint={checkpoint}", "output=planned"),
        "task.max_steps=2",
    )
    assert done.code == 0, done.err
    words = " ".join((done.out + done.err).split())
    assert ("train-proposals effector=moved_parts learns with it" in words) == told


def test_what_does_not_fit_is_told(
    armillary: Command, proposals: Path, checkpoint: Path, tmp_path: Path
) -> None:
    place = f"planner.proposals_from={proposals}"
    plan = ["plan", "planner=inverse_dynamics", place, "episodes=1", "output=planned"]
    done = armillary(*plan, f"checkpoint={checkpoint}", "horizon=5")
    assert done.code == 2
    assert "propose 4 steps, the plan has 5" in " ".join(done.err.split())
    done = armillary(*plan, "checkpoint=pretrained/push_blocks", "horizon=4")
    assert done.code == 2
    assert "learnt from the slots of another model" in " ".join(done.err.split())
    done = armillary(*plan, "checkpoint=oracle", "horizon=4", "workers=0")
    assert done.code == 2
    assert "learnt from the slots of another model" in " ".join(done.err.split())
    assert not (tmp_path / "planned").exists()
    done = armillary("plan", "planner=retrieval", "planner.proposals_from=no", "output=planned")
    assert done.code == 2
    assert "armillary train-proposals checkpoint=RUN" in " ".join(done.err.split())


def test_a_model_without_actions_proposes_none(
    armillary: Command, episodes: Path, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "free", tiny_model(action_size=0), step=1)
    done = armillary("train-proposals", "checkpoint=free", f"data.path={episodes}", "output=p")
    assert done.code == 2
    assert "takes no actions" in done.err


def test_a_model_that_sees_nan_ends_it(
    armillary: Command, episodes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(self: object, state: object) -> torch.Tensor:
        return torch.full((state.content.shape[0], 3, 34), torch.nan)  # pyright: ignore

    save_checkpoint(tmp_path / "bad", tiny_model(), step=1)
    monkeypatch.setattr("armillary.world_models.slot_dynamics.SlotDynamics.slots", nothing)
    done = armillary("train-proposals", "checkpoint=bad", f"data.path={episodes}", "output=p")
    assert done.code == 1
    assert "NaN" in done.err


@pytest.mark.parametrize("word", ["steps=0", "batch=0", "horizon=0", "episodes=0"])
def test_refuses_bad_numbers(
    armillary: Command, checkpoint: Path, episodes: Path, word: str
) -> None:
    words = [f"checkpoint={checkpoint}", f"data.path={episodes}", "output=p"]
    done = armillary("train-proposals", *words, word)
    assert done.code == 2
    assert "must be at least 1, got 0" in done.err


def test_a_horizon_beyond_the_episodes_is_refused(
    armillary: Command, checkpoint: Path, episodes: Path
) -> None:
    words = [f"checkpoint={checkpoint}", f"data.path={episodes}", "output=p"]
    done = armillary("train-proposals", *words, "steps=1", "horizon=5000")
    assert done.code == 2
    assert "horizon=5000 is more than the 13 steps of an episode" in " ".join(done.err.split())
    assert "are encoded" not in done.err
    assert not list(Path("p").glob("proposals/*"))


def test_a_horizon_beyond_what_was_recorded_is_not_learnt() -> None:
    slots, actions = torch.zeros(2, 4, 3, 5), torch.zeros(2, 3, 2)
    recorded = Recorded(slots, actions, torch.ones(2, 3), torch.zeros(2, 3))
    for horizon in (0, 4):
        with pytest.raises(ArmillaryError, match=f"from 1 to 3, .* got {horizon}"):
            learn(recorded, horizon, Settings(steps=1))


@pytest.mark.parametrize("planner", ["inverse_dynamics", "retrieval"])
def test_proposals_beside_a_checkpoint_are_taken_for_it(armillary: Command, planner: str) -> None:
    words = ["plan", f"planner={planner}", "objective=latent", "episodes=1", "task.max_steps=4"]
    own = "checkpoint=pretrained/push_blocks/rssm"
    assert armillary(*words, own, "output=planned").code == 0
    diagnosed = armillary("diagnose", *words[1:-1], "task.max_steps=1", own, "output=diagnosed")
    assert diagnosed.code == 0, diagnosed.err
    other = "planner.proposals_from=pretrained/push_blocks"
    told = armillary(*words, own, other, "output=refused")
    assert told.code == 2
    assert "another model" in told.err


def test_none_beside_a_checkpoint_is_told(armillary: Command, checkpoint: Path) -> None:
    told = armillary("plan", "planner=retrieval", f"checkpoint={checkpoint}", "output=refused")
    assert told.code == 2
    assert f"no proposals lie beside {checkpoint}" in told.err


def test_other_proposals_make_another_row(tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(BUNDLED_ROOT / "push_blocks" / "rssm", own)
    config = compose("benchmark", ["planner=inverse_dynamics", "objective=latent"])
    first = identity_of(entry_of(str(own), config), config)
    assert identity_of(entry_of(str(own), config), config) == first
    about = own / "proposals" / "proposals.json"
    about.write_text(about.read_text() + "\n")
    assert identity_of(entry_of(str(own), config), config) != first


@pytest.mark.parametrize(
    ("given", "told"),
    [("null", "proposals"), ("retrieval", "list"), ("[retrieva]", "unknown proposals 'retrieva'")],
)
def test_proposals_that_are_none_are_told(
    armillary: Command, checkpoint: Path, given: str, told: str
) -> None:
    done = armillary("plan", f"planner.proposals={given}", f"checkpoint={checkpoint}", "output=no")
    assert done.code == 2
    assert told in done.err
