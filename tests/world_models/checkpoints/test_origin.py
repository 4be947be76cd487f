"""A checkpoint of a plug-in's model says so, and loads only where the plug-in is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from armillary import CheckpointError, build_model, load_model, plugins, read_info, save_checkpoint
from armillary.world_models.checkpoints.locate import CONFIG_FILE
from tests.world_models import toy
from tests.world_models.checkpoints.edits import edit_config

Edit = dict[str, str | None]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_checkpoint(tmp_path / "saved", build_model(toy.NAME), step=1)


def edited(checkpoint: Path, **plugin: str | None) -> Path:
    edit_config(checkpoint, lambda config: config["plugin"].update(plugin))
    return checkpoint


def test_it_names_the_plugin(checkpoint: Path) -> None:
    needed = read_info(checkpoint).plugin
    assert needed == {"module": "tests.world_models.toy", "distribution": None, "version": None}
    load_model(checkpoint)


def test_models_of_this_project_and_old_checkpoints_name_none(
    checkpoint: Path, tmp_path: Path
) -> None:
    ours = save_checkpoint(tmp_path / "ours", build_model("vrnn", **VRNN), step=1)
    assert "plugin" not in json.loads((ours / CONFIG_FILE).read_text())
    edit_config(checkpoint, lambda config: config.pop("plugin"))
    assert read_info(checkpoint).plugin is None
    load_model(checkpoint)


VRNN = {"image_size": 16, "action_size": 2, "hidden": 4, "latent_size": 2, "conv_channels": 2}


def test_an_absent_plugin_is_named_and_never_imported(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "not_named.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    models = {k: v for k, v in plugins.registered("model").items() if k != toy.NAME}
    monkeypatch.setitem(plugins._TABLES, "model", models)
    wanted = edited(checkpoint, module="not_named", distribution="not-named", version="0.3")
    with pytest.raises(CheckpointError) as told:
        load_model(wanted)
    assert "needs the plug-in 'not_named', which is not loaded" in str(told.value)
    assert "install not-named 0.3, or name its module, plugins=[not_named]" in str(told.value)
    assert "not_named" not in sys.modules


def test_another_plugin_with_the_same_name_of_a_model_is_refused(checkpoint: Path) -> None:
    wanted = edited(checkpoint, module="other_pack.models")
    with pytest.raises(CheckpointError, match=r"'other_pack\.models', while tests\.world_models"):
        load_model(wanted)


def test_a_class_of_a_script_may_have_moved_into_a_module(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_model(edited(checkpoint, module="__main__"))
    monkeypatch.setitem(plugins._TABLES, "model", {})
    with pytest.raises(CheckpointError, match="put the class of your script into a module"):
        load_model(checkpoint)


def test_a_damaged_entry_is_refused(checkpoint: Path) -> None:
    edit_config(checkpoint, lambda config: config.update(plugin=[1]))
    with pytest.raises(CheckpointError, match="is damaged: its plugin is"):
        load_model(checkpoint)
