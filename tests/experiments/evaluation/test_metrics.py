"""A metric is one entry of the table, ours or a plug-in's, and is measured and told everywhere."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from rich.console import Console

from armillary import plugins
from armillary.errors import PluginError
from armillary.experiments.evaluation import summary, table
from armillary.experiments.evaluation.metrics import METRICS, Imagined, Metric, chosen
from armillary.experiments.evaluation.results import Evaluation
from tests.experiments.tiny import tiny_model


class Grey:
    """What a plug-in registers."""

    label, unit, digits, higher_is_better = "error", "grey", 1, False

    def __call__(self, pred: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
        return (pred - true).abs().mean((-1, -2, -3))


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> dict[str, plugins.Entry]:
    """The registered metrics, forgotten after the test."""
    held: dict[str, plugins.Entry] = {}
    monkeypatch.setitem(plugins._TABLES, "metric", held)
    return held


def seen(frames: torch.Tensor) -> Imagined:
    return Imagined(frames, torch.zeros(2, 1, 3, 3, 4, 4), None, tiny_model(), None)


@pytest.mark.parametrize("name", METRICS)
def test_every_entry_is_described(name: str) -> None:
    metric = METRICS[name]
    assert metric.label
    assert metric.digits >= 0
    if metric.of == "frames":
        assert metric.function is not None
        assert metric.higher_is_better is not None


def test_a_plugins_metric_is_an_entry_like_ours(tables: dict) -> None:
    plugins.register("metric", "error", by="my_pack")(Grey())
    metric = chosen("frames")["error"]
    assert (metric.heading, metric.text(-0.25)) == ("error (grey)", "\N{MINUS SIGN}0.2")
    assert metric.function is not None
    found = metric.function(seen(torch.ones(2, 5, 3, 3, 4, 4)))
    assert found is not None
    assert found.shape == (2, 5, 3)
    assert (found == 1).all()


def test_a_plugins_metric_of_another_shape_is_told(tables: dict) -> None:
    class Wrong(Grey):
        def __call__(self, pred: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
            return pred.mean()

    plugins.register("metric", "wrong", by="my_pack")(Wrong())
    function = chosen("frames")["wrong"].function
    assert function is not None
    with pytest.raises(PluginError, match=r"'wrong' must return .* \(2, 5, 3\), got \(\)"):
        function(seen(torch.ones(2, 5, 3, 3, 4, 4)))


@pytest.mark.parametrize("name", ["psnr", "spread", "recall"])
def test_a_plugins_metric_cannot_take_a_name_of_ours(tables: dict, name: str) -> None:
    plugins.register("metric", name, by="my_pack")(Grey())
    with pytest.raises(PluginError, match=rf"metric name '{name}' of my_pack.* is taken"):
        chosen("frames")


def test_an_entry_decides_the_tiers_and_is_told_with_its_digits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    metrics = {"ssim": METRICS["ssim"], "error": Metric("error", "grey", 1, False)}
    videos = []
    for video in range(4):
        scores = {name: rng.random((3, 5)).astype(np.float32) for name in metrics}
        scores["spread"] = rng.random(5).astype(np.float32)
        videos.append(summary.condense(scores, video, 0, metrics))
    found = summary.summarise(videos, 2, 0, {**METRICS, **metrics})
    means = [found["metrics"]["error"][tier].mean for tier in ("best", "median", "worst")]
    assert means == sorted(means), "lower is better"
    evaluation = Evaluation(
        **found,
        model="m",
        data={"path": "p"},  # pyright: ignore[reportArgumentType]
        videos=4,
        rollouts=3,
        context=2,
        horizon=5,
        examples=[],
    )
    assert evaluation.table["error"].heading == "error (grey)"
    told = io.StringIO()
    monkeypatch.setattr(table, "console", Console(file=told, width=120))
    table.show(evaluation)
    assert "error (grey)" in told.getvalue()
    assert f"{means[0]:.1f}" in told.getvalue()
