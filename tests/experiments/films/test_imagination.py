"""Imagined frames depend on the context and the actions alone; samples on their seed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from armillary.experiments.films.imagination import imagine
from armillary.world_models.metrics import psnr
from tests.experiments.tiny import CONTEXT, tiny_clip, tiny_model


def test_frames_after_the_context_are_seen_by_the_encoded_scenes_only() -> None:
    model, clip = tiny_model(), tiny_clip()
    future = clip.frames.clone()
    future[:, CONTEXT:] = future[:, CONTEXT:].flip(-2)
    one = imagine(model, clip, samples=2, seed=0)
    other = imagine(model, replace(clip, frames=future), samples=2, seed=0)
    assert torch.equal(one.imagined.frames, other.imagined.frames)
    assert torch.equal(one.samples, other.samples)
    assert torch.equal(one.encoded.frames[:CONTEXT], other.encoded.frames[:CONTEXT])
    assert not torch.allclose(one.encoded.frames[CONTEXT:], other.encoded.frames[CONTEXT:])


def test_in_the_context_imagined_and_encoded_are_the_same() -> None:
    imagination = imagine(tiny_model(), tiny_clip(), samples=1, seed=0)
    encoded, imagined = imagination.encoded.frames, imagination.imagined.frames
    assert torch.allclose(encoded[:CONTEXT], imagined[:CONTEXT], atol=1e-6)
    assert not torch.allclose(encoded[CONTEXT:], imagined[CONTEXT:], atol=1e-4)


def test_actions_change_what_is_imagined() -> None:
    model, clip = tiny_model(), tiny_clip()
    pushed = replace(clip, actions=clip.actions + 1.0)
    one, other = (imagine(model, c, samples=1, seed=0) for c in (clip, pushed))
    assert not torch.allclose(one.imagined.frames[CONTEXT:], other.imagined.frames[CONTEXT:])
    assert not torch.allclose(one.samples, other.samples)


def test_samples_follow_their_seed_and_differ_from_each_other() -> None:
    model, clip = tiny_model(), tiny_clip()
    runs = [imagine(model, clip, samples=3, seed=seed) for seed in (0, 0, 1)]
    assert runs[0].samples.shape == (3, 7 - CONTEXT, 3, 32, 32)
    assert torch.equal(runs[0].samples, runs[1].samples)
    assert not torch.allclose(runs[0].samples, runs[2].samples)
    assert not torch.allclose(runs[0].samples[0], runs[0].samples[1])
    assert torch.equal(runs[0].imagined.frames, runs[2].imagined.frames), "the mean has no noise"


def test_measures_are_those_of_the_frames() -> None:
    clip = tiny_clip()
    imagination = imagine(tiny_model(), clip, samples=2, seed=0)
    measures = imagination.measures()
    truth = clip.frames[0]
    expected = psnr(imagination.imagined.frames[CONTEXT:], truth[CONTEXT:])
    assert measures["imagined_psnr"] == pytest.approx(expected.tolist(), abs=1e-3)
    copied = truth[CONTEXT - 1].expand_as(truth[CONTEXT:])
    assert measures["copy_psnr"] == pytest.approx(psnr(copied, truth[CONTEXT:]).tolist(), abs=1e-3)
    second = psnr(imagination.samples[1], truth[CONTEXT:])
    assert measures["sample_psnr"][1] == pytest.approx(second.tolist(), abs=1e-3)
    assert len(measures["context_psnr"]) == len(measures["context_ari"]) == CONTEXT
    assert all(isinstance(a, float) and math.isfinite(a) for a in measures["imagined_ari"])


def test_without_labels_there_is_no_ari_and_without_samples_none() -> None:
    clip = tiny_clip()
    unlabelled = replace(clip, labels=clip.labels[:, :, :0, :0])
    measures = imagine(tiny_model(), unlabelled, samples=0, seed=0).measures()
    assert measures["imagined_ari"] == [None] * (7 - CONTEXT)
    assert measures["sample_psnr"] == []


def test_a_clip_that_leaves_nothing_to_imagine_is_refused() -> None:
    with pytest.raises(ValueError, match="context_length must be in"):
        imagine(tiny_model(), tiny_clip(length=CONTEXT), samples=1, seed=0)
