"""Segmentation metrics equal scikit-learn, brute force and recorded values."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from armillary.world_models.metrics import (
    RECALL_THRESHOLDS,
    adjusted_rand_index,
    average_recall,
    mean_iou,
    object_ious,
    recall,
)
from tests.parity.metrics import check_segmentation
from tests.world_models.metrics.conftest import recorded


def labels(count: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randint(count, shape, generator=torch.Generator().manual_seed(seed))


def disturbed(true: Tensor, share: float, count: int, seed: int = 1) -> Tensor:
    """Labels renamed, with a share of the pixels replaced."""
    generator = torch.Generator().manual_seed(seed)
    renamed = torch.randperm(count, generator=generator)[true]
    noise = torch.randint(count, true.shape, generator=generator)
    return torch.where(torch.rand(true.shape, generator=generator) < share, noise, renamed)


@pytest.mark.parametrize("foreground", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
@pytest.mark.parametrize("count", [2, 4, 9])
def test_ari_is_that_of_scikit_learn(count: int, share: float, foreground: bool) -> None:
    true = labels(count, 3, 4, 12, 10)
    pred = disturbed(true, share, count)
    found = adjusted_rand_index(true, pred, foreground)
    assert found.shape == (3, 4)
    for i in np.ndindex(3, 4):
        kept = true[i] > 0 if foreground else torch.ones_like(true[i], dtype=torch.bool)
        expected = adjusted_rand_score(true[i][kept].numpy(), pred[i][kept].numpy())
        assert found[i].item() == pytest.approx(expected, abs=1e-6)


ONE, TWO = torch.ones(6, 6, dtype=torch.long), labels(2, 6, 6, seed=4) + 1
EACH = torch.arange(36).reshape(6, 6) + 1
POINT = torch.zeros(6, 6, dtype=torch.long).index_put((torch.tensor(2), torch.tensor(3)), ONE[0, 0])


@pytest.mark.parametrize("true", [ONE, TWO, EACH, POINT], ids=["one", "two", "each", "point"])
@pytest.mark.parametrize("pred", [ONE, TWO, EACH, POINT], ids=["one", "two", "each", "point"])
def test_ari_of_degenerate_segmentations(true: Tensor, pred: Tensor) -> None:
    kept = true > 0
    expected = adjusted_rand_score(true[kept].numpy(), pred[kept].numpy())
    assert adjusted_rand_index(true, pred).item() == pytest.approx(expected, abs=1e-6)


def test_ari_of_one_large_object_is_exact() -> None:
    whole = torch.ones(1031, 1033, dtype=torch.uint8)
    assert adjusted_rand_index(whole, whole * 3).item() == 1.0


def test_items_do_not_influence_each_other() -> None:
    true, pred = labels(5, 6, 8, 8), labels(4, 6, 8, 8, seed=2)
    for metric in (adjusted_rand_index, mean_iou, average_recall):
        together = metric(true, pred)
        alone = torch.stack([metric(true[i], pred[i]) for i in range(6)])
        torch.testing.assert_close(together, alone)


def test_no_foreground_is_nan_and_stays_alone() -> None:
    true = labels(3, 3, 8, 8)
    true[1] = 0
    for metric in (adjusted_rand_index, mean_iou, average_recall):
        found = metric(true, true)
        assert found.isnan().tolist() == [False, True, False]
        assert metric(true[1:2], true[1:2]).isnan().all()
    assert adjusted_rand_index(true, true, foreground=False)[1] == 1.0


def test_soft_masks_count_as_their_winner() -> None:
    true = labels(4, 2, 3, 8, 8)
    soft = torch.rand(2, 3, 5, 8, 8, generator=torch.Generator().manual_seed(3))
    hard = soft.argmax(2)
    one_hot = torch.nn.functional.one_hot(true, 4).movedim(-1, -3).float()
    for metric in (adjusted_rand_index, mean_iou, average_recall):
        expected = metric(true, hard)
        torch.testing.assert_close(metric(true, soft), expected)
        torch.testing.assert_close(metric(one_hot, soft), expected)


def test_small_integer_labels_do_not_overflow() -> None:
    true, pred = labels(200, 4, 16, 16) + 50, labels(200, 4, 16, 16, seed=1) + 50
    torch.testing.assert_close(
        adjusted_rand_index(true.to(torch.uint8), pred.to(torch.uint8)),
        adjusted_rand_index(true, pred),
    )


@pytest.mark.parametrize("segments", [2, 4, 6])
def test_mean_iou_is_the_best_matching(segments: int) -> None:
    true, pred = labels(4, 5, 6, 7), labels(segments, 5, 6, 7, seed=1)
    found = mean_iou(true, pred)
    for i in range(5):
        table = np.zeros((3, max(segments, 3)))
        for m, j in np.ndindex(3, segments):
            mine, theirs = true[i] == m + 1, pred[i] == j
            table[m, j] = (mine & theirs).sum() / (mine | theirs).sum()
        best = max(
            sum(table[m, j] for m, j in enumerate(chosen))
            for chosen in permutations(range(table.shape[1]), 3)
        )
        assert found[i].item() == pytest.approx(best / 3, abs=1e-6)


def test_one_segment_serves_one_object_only() -> None:
    """Two equal halves seen as one segment: one is matched with IoU 1/2, the other missed."""
    true = torch.ones(4, 8, dtype=torch.long)
    true[:, 4:] = 2
    assert mean_iou(true, torch.zeros_like(true)).item() == pytest.approx(0.25)


def test_an_object_out_of_sight_does_not_count() -> None:
    true = torch.zeros(2, 6, 6, dtype=torch.long)
    true[:, :3, :3] = 1
    true[0, 4:, 4:] = 2
    pred = torch.where(true == 1, 3, 0)
    torch.testing.assert_close(mean_iou(true, pred)[1], torch.tensor(1.0))
    # The missed object overlaps the rest of the image by 4 of 27 pixels.
    torch.testing.assert_close(average_recall(true, pred), torch.tensor([0.55, 1.0]))
    _, seen = object_ious(true, pred)
    assert seen.tolist() == [[True, True], [True, False]]


def test_recall_counts_thresholds() -> None:
    """One object with IoU 3/4 (found up to 0.7), one with IoU 1."""
    true = torch.zeros(8, 8, dtype=torch.long)
    true[0, :4], true[4, :4] = 1, 2
    pred = true.clone()
    pred[0, 3] = 0
    assert average_recall(true, pred).item() == pytest.approx((7 / 10 + 1) / 2)
    assert average_recall(true, pred, [0.8]).item() == 0.5
    assert recall(true, pred, [0.75, 0.76]).tolist() == [1.0, 0.5]
    assert RECALL_THRESHOLDS == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    for bad in ([], [0.0, 0.5], [1.5]):
        with pytest.raises(ValueError, match=r"\(0, 1\]"):
            average_recall(true, pred, bad)


@pytest.mark.parametrize("tenths", range(1, 11))
def test_an_iou_on_a_threshold_is_found(tenths: int) -> None:
    true = torch.zeros(2, 10, dtype=torch.long)
    true[0] = 1
    pred = true.clone()
    pred[0, tenths:] = 2
    assert recall(true, pred)[..., tenths - 1].item() == 1.0


@pytest.mark.parametrize("metric", [adjusted_rand_index, mean_iou, average_recall, recall])
def test_empty_and_perfect_predictions(metric) -> None:
    """A mask that no pixel belongs to changes nothing; the truth itself is perfect."""
    true = labels(4, 3, 9, 9)
    masks = torch.nn.functional.one_hot(true, 4).movedim(-1, -3).float()
    empty = torch.zeros_like(masks[:, :1])
    torch.testing.assert_close(metric(true, masks), torch.ones_like(metric(true, masks)))
    pred = disturbed(true, 0.4, 4)
    soft = torch.nn.functional.one_hot(pred, 4).movedim(-1, -3).float()
    torch.testing.assert_close(metric(true, torch.cat([soft, empty], 1)), metric(true, pred))


@pytest.mark.parametrize("metric", [adjusted_rand_index, mean_iou, average_recall])
def test_bad_segmentations_are_refused(metric) -> None:
    with pytest.raises(ValueError, match=r"\(2, 8, 8\) and \(2, 8, 9\)"):
        metric(labels(3, 2, 8, 8), labels(3, 2, 8, 9))
    with pytest.raises(ValueError, match="negative"):
        metric(labels(3, 8, 8), labels(3, 8, 8) - 1)
    with pytest.raises(ValueError, match="at least one image"):
        metric(labels(3, 0, 8, 8), labels(3, 0, 8, 8))


def test_recorded_values() -> None:
    """The published evaluation's own ARI, recall, pictures of best slots and tiers."""
    errors = check_segmentation(recorded("metrics_seg.npz"))
    assert len(errors) > 20
    assert max(error for _, error in errors) < 1e-6
    assert {name.split("/")[-1] for name, _ in errors} >= {"ari", "ar", "iou_video", "pixel_mse"}
