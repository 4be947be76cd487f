"""Models by name: building, recording, and what a mistake is answered with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import armillary.world_models
from armillary import plugins
from armillary.suggestions import suggest
from armillary.world_models.registry import (
    available_models,
    build_model,
    model_config,
    register_model,
)
from tests.world_models import toy


@pytest.fixture(autouse=True)
def restored_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names registered in a test are gone after it."""
    available_models()
    monkeypatch.setitem(plugins._TABLES, "model", dict(plugins._TABLES["model"]))


def test_config_records_defaults_and_rebuilds_the_model() -> None:
    model = build_model(toy.NAME, slot_size=5)
    config = model_config(model)
    assert config["name"] == toy.NAME
    assert config["hyperparameters"]["slot_size"] == 5
    assert config["hyperparameters"]["image_size"] == 8
    again = build_model(config["name"], **config["hyperparameters"])
    assert again.slot_size == 5
    assert model_config(again) == config


def test_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'toi'.*did you mean 'toy'\?.*choose from.*toy"):
        build_model("toi")


def test_unknown_hyperparameter_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=r"'slot_sise'.*did you mean 'slot_size'\?.*noise_scale"):
        build_model(toy.NAME, slot_sise=3)


def test_missing_hyperparameters_are_named() -> None:
    @register_model("demanding")
    class Demanding(toy.ToyModel):
        def __init__(self, *, width: int, depth: int, slot_size: int = 3) -> None:
            super().__init__(slot_size=slot_size)

    with pytest.raises(ValueError, match=r"'demanding' needs depth; its.* width, depth, slot_size"):
        build_model("demanding", width=3)


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), object()])
def test_hyperparameters_that_json_cannot_hold_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON-able"):
        build_model(toy.NAME, noise_scale=value)


def test_model_constructed_directly_has_no_config() -> None:
    with pytest.raises(ValueError, match="build_model"):
        model_config(toy.ToyModel())


def test_a_name_belongs_to_one_class() -> None:
    with pytest.raises(ValueError, match="'toy' is taken by tests"):

        @register_model(toy.NAME)
        class Other(toy.ToyModel):
            pass


def test_positional_hyperparameters_are_refused() -> None:
    with pytest.raises(TypeError, match=r"keyword-only.*'image_size'"):

        @register_model("positional")
        class Positional(toy.ToyModel):
            def __init__(self, image_size: int) -> None:
                super().__init__(image_size=image_size)


def test_a_new_model_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brand_new.py").write_text(
        "from tests.world_models.toy import ToyModel\n"
        "from armillary.world_models.registry import register_model\n"
        "@register_model('brand_new')\n"
        "class BrandNew(ToyModel):\n"
        "    pass\n"
    )
    monkeypatch.setattr(
        armillary.world_models, "__path__", [*armillary.world_models.__path__, str(tmp_path)]
    )
    plugins._import_built_in.cache_clear()
    try:
        assert "brand_new" in available_models()
        assert build_model("brand_new", slot_size=2).slot_size == 2
    finally:
        sys.modules.pop("armillary.world_models.brand_new", None)


def test_suggest_lists_choices_without_a_near_one() -> None:
    assert suggest("xyz", ["alpha", "beta"]) == "choose from alpha, beta"
    assert suggest("xyz", []) == "choose from (none)"
