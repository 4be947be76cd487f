"""A folder of programs: what is in it, that torch alone runs it, what is told of mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from armillary.experiments.evaluation.results import Exported, read_results
from armillary.experiments.verbs import export
from armillary.world_models.checkpoints.checkpoint import load_model, read_info, save_checkpoint
from armillary.world_models.exporting import tracing
from tests.experiments.conftest import Command
from tests.world_models.exporting import test_making  # registers its models

NAMES = ("start", "observe", "step", "slots", "positions", "decode")


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return checkpoint_of("toy", tmp_path / "toy")


def checkpoint_of(name: str, path: Path, **more: Any) -> Path:
    return save_checkpoint(path, test_making.model_of(name, **more), step=3)


def test_a_folder_says_what_it_holds_and_torch_alone_runs_it(armillary: Command, toy: Path) -> None:
    done = armillary("export", f"checkpoint={toy}", "to=made", "onnx=never")
    assert done.code == 0, done.err
    folder = Path("made")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["checkpoint"]["sha256"] == read_info(toy).digests["model.safetensors"]
    assert manifest["model"]["name"] == "toy"
    assert manifest["noise"] == {"shape": [2, 3], "zeros_are_the_mean": True}
    assert manifest["actions"]["std"] == [0.5, 0.5]
    assert manifest["versions"]["torch"] == torch.__version__
    assert list(manifest["programs"]) == [*NAMES]
    observe = manifest["programs"]["observe"]
    assert observe["rows"] == "any"
    assert [one["name"] for one in observe["inputs"]] == ["state_slots", "action", "frame"]
    assert observe["inputs"][2]["shape"] == ["N", 3, 8, 8]
    assert observe["inputs"][2]["range"] == [0.0, 1.0]
    found = read_results(folder, "export")
    assert isinstance(found, Exported)
    assert {*found.files} == {f"{name}.pt2" for name in NAMES}
    for name, one in found.files.items():
        assert one.bytes == (folder / name).stat().st_size
        assert one.rows == [1, 2, 17]
        assert one.difference is not None
        assert one.difference <= found.tolerance
        assert name in done.out
    code = (
        "import runpy, sys\n"
        "sys.modules['armillary'] = None\n"  # cannot be imported
        f"runpy.run_path({str(folder / export.EXAMPLE)!r}, run_name='__main__')"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line.split(":")[0] for line in shown.stdout.splitlines()] == [
        f"{n} ahead" for n in (1, 2, 3)
    ]


def test_a_folder_of_programs_is_the_trained_model(
    armillary: Command, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "programs_of", lambda model: test_making.chosen(model, "start"))
    done = armillary("export", f"checkpoint={checkpoint}", "to=made", "onnx=never", "num_slots=3")
    assert done.code == 0, done.err
    model = load_model(checkpoint, num_slots=3)
    frame, action = torch.rand(4, 3, 32, 32), torch.rand(4, 2)
    with torch.no_grad():
        mine = torch.export.load("made/start.pt2").module()(action, frame)
        belief = model.observe(None, action, frame).tensors()
    torch.testing.assert_close(mine, tuple(belief.values()), atol=1e-5, rtol=1e-5)


def test_without_its_libraries_onnx_is_left_out_or_refused(
    armillary: Command, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "missing_libraries", lambda: ["onnx", "onnxscript"])
    monkeypatch.setattr(export, "programs_of", lambda model: [])
    done = armillary("export", f"checkpoint={toy}", "to=made")
    assert done.code == 0
    assert (
        "need onnx and onnxscript: pip install 'armillary[export]'; they are left out" in done.err
    )
    refused = armillary("export", f"checkpoint={toy}", "to=other", "onnx=always")
    assert refused.code == 2
    assert "onnx=always: ONNX files need onnx and onnxscript" in refused.err
    assert not Path("other").exists()


def test_what_cannot_be_written_is_named_by_message_and_exit_code(
    armillary: Command, tmp_path: Path
) -> None:
    path = checkpoint_of("deciding_toy", tmp_path / "branching")
    done = armillary("export", f"checkpoint={path}", "to=made", "onnx=never")
    assert done.code == 1
    assert "there can be no slots.pt2 (it looks at values to decide what to do: " in done.err
    for torchs_own in ("def forward", "symbolic_shapes", "Unable to find user code"):
        assert torchs_own not in done.out + done.err
    assert "all others are in made" in done.err
    written = {file.name for file in Path("made").glob("*.pt2")}
    assert written == {f"{name}.pt2" for name in NAMES if name != "slots"}
    slots = json.loads(Path("made/manifest.json").read_text())["programs"]["slots"]
    assert slots["files"] == {}
    assert "data-dependent" in slots["missing"]["pt2"]
    results = read_results(Path("made"), "export")
    assert isinstance(results, Exported)
    assert "data-dependent" in results.files["slots.pt2"].reason


@pytest.mark.parametrize("known", [True, False])
def test_the_example_says_which_program_is_missing(
    armillary: Command, toy: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    chosen = ("start", "observe", "step", "decode")[: 4 if known else 3]
    monkeypatch.setattr(export, "programs_of", lambda model: test_making.chosen(model, *chosen))
    assert armillary("export", f"checkpoint={toy}", "to=made", "onnx=never").code == 0
    path = Path("made/manifest.json")
    manifest = json.loads(path.read_text())
    if known:
        manifest["programs"]["decode"] |= {"files": {}, "missing": {"pt2": "it looks at values"}}
    path.write_text(json.dumps(manifest))
    shown = subprocess.run(
        [sys.executable, f"made/{export.EXAMPLE}"], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 1
    reason = "it looks at values" if known else "it was not exported"
    assert shown.stderr.strip() == (f"this example needs decode.pt2, which is not there: {reason}")


def test_a_program_that_differs_from_the_model_leaves_no_file(
    armillary: Command, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = tracing.loaded
    monkeypatch.setattr(
        tracing,
        "loaded",
        lambda content: lambda *given: tuple(1 - x for x in loaded(content)(*given)),
    )
    done = armillary("export", f"checkpoint={toy}", "to=made", "onnx=never")
    assert done.code == 1
    assert "start.pt2 would not compute what the model does" in done.err
    left = {file.name for file in Path("made").iterdir()}
    assert left <= {"config.yaml", "run.json", "run.log"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["checkpoint=nowhere"], "nowhere"),
        (["checkpoint={toy}", "num_slots=4"], "always has 2"),
        (["checkpoint={toy}", "device=cuda"], "this machine has no device 'cuda'"),
        (["checkpoint={toy}", "device=gpu"], "unknown device 'gpu'"),
        (["checkpoint={toy}", "onnx=no"], "unknown onnx 'no'; choose from always, auto, never"),
        (["checkpoint={toy}", "tolerance=-1"], "tolerance must be at least 0, got -1"),
    ],
)
def test_mistakes(armillary: Command, toy: Path, words: list[str], said: str) -> None:
    if torch.cuda.is_available() and "device=cuda" in words:
        pytest.skip("this machine has one")
    done = armillary("export", *(word.format(toy=toy) for word in words), "to=made")
    assert done.code == 2
    assert said in done.err
    assert not Path("made").exists()
