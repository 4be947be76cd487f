import pytest
import torch
from torch import Tensor, nn

from armillary.experiments.speed.subjects import PlainBroadcastDecoder
from armillary.recomputation import recomputing
from armillary.world_models.blocks import broadcast_decoder
from armillary.world_models.blocks.broadcast_decoder import (
    SpatialBroadcastDecoder,
    latents_at_once,
)

_COUNT = 5


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two images of 16 px with 8 channels at a time, one of the larger ones."""
    monkeypatch.setattr(broadcast_decoder, "_CHUNK", 2 * 22 * 22 * 8)


def _pair(
    input_size: int, image_size: int, channels: int = 8, dtype: torch.dtype = torch.float64
) -> tuple[nn.Module, nn.Module, Tensor]:
    torch.manual_seed(image_size)
    plain = PlainBroadcastDecoder(input_size, image_size, channels).to(dtype)
    ours = SpatialBroadcastDecoder(input_size, image_size, channels).to(dtype)
    ours.load_state_dict(plain.state_dict())
    return plain, ours, torch.randn(_COUNT, input_size, dtype=dtype)


def _output_and_gradients(decoder: nn.Module, z: Tensor) -> dict[str, Tensor]:
    """As a model trains: the inner gradient of an inference, then a backward pass through both."""
    decoder.zero_grad()
    z = z.clone().requires_grad_()
    output = decoder(z)
    (inner,) = torch.autograd.grad(output.square().sum(), [z], retain_graph=True)
    (output.sin() + z.mean() * output).sum().backward()
    assert z.grad is not None
    gradients = {name: p.grad for name, p in decoder.named_parameters() if p.grad is not None}
    assert len(gradients) == 10
    return {"output": output.detach(), "inner": inner, "outer": z.grad} | gradients


def _largest_error(ours: Tensor, plain: Tensor) -> float:
    assert ours.shape == plain.shape
    return float((ours - plain).abs().max() / plain.abs().max())


@pytest.mark.parametrize("image_size", [8, 9, 16, 24, 64])
def test_equals_the_plain_formulation_in_float64(image_size: int) -> None:
    plain, ours, z = _pair(5, image_size)
    expected = _output_and_gradients(plain, z)
    for name, value in _output_and_gradients(ours, z).items():
        assert _largest_error(value, expected[name]) < 1e-12, name


@pytest.mark.parametrize("image_size", [16, 32])
def test_rounds_in_float32_as_the_plain_formulation_does(image_size: int) -> None:
    plain, ours, z = _pair(64, image_size, 32, torch.float32)
    values, theirs = _output_and_gradients(ours, z), _output_and_gradients(plain, z)
    exact = _output_and_gradients(plain.double(), z.double())
    for name, value in values.items():
        slack = _largest_error(theirs[name].double(), exact[name])
        assert _largest_error(value.double(), exact[name]) < max(2e-6, 2 * slack), name


def test_outputs_without_gradients_are_the_same_numbers() -> None:
    _, ours, z = _pair(5, 16)
    with torch.no_grad():
        silent = ours(z)
    assert torch.equal(silent, ours(z))
    assert not silent.requires_grad


def test_an_image_does_not_depend_on_the_batch() -> None:
    _, ours, z = _pair(5, 16, dtype=torch.float32)
    alone = torch.cat([ours(row) for row in z.split(1)])
    torch.testing.assert_close(ours(z), alone, rtol=0, atol=1e-6)


def test_frozen_weights_leave_the_gradient_of_the_latent() -> None:
    plain, ours, z = _pair(5, 16)
    expected = _output_and_gradients(plain, z)["inner"]
    z.requires_grad_()
    (gradient,) = torch.autograd.grad(ours.requires_grad_(False)(z).square().sum(), [z])
    assert _largest_error(gradient, expected) < 1e-12


def test_bf16_autocast_is_close() -> None:
    plain, ours, z = _pair(64, 16, 32, torch.float32)
    with torch.no_grad():
        expected = plain(z)
        with torch.autocast("cpu", torch.bfloat16):
            low = ours(z)
    assert low.dtype == torch.bfloat16
    assert _largest_error(low.float(), expected) < 0.02


def test_bf16_autocast_trains() -> None:
    plain, ours, z = _pair(64, 16, 32, torch.float32)
    expected = _output_and_gradients(plain, z)
    with torch.autocast("cpu", torch.bfloat16):
        values = _output_and_gradients(ours, z)
    for name, value in values.items():
        assert _largest_error(value.float(), expected[name]) < 0.05, name


def test_a_pass_keeps_a_third_of_what_the_plain_one_keeps() -> None:
    plain, ours, z = _pair(64, 32, 32, torch.float32)
    assert _kept_bytes(ours, z) < _kept_bytes(plain, z) / 3


@pytest.mark.parametrize("wanted", [None, True, False])
def test_what_is_kept_is_a_choice_that_changes_no_bit(wanted: bool | None) -> None:
    _, ours, z = _pair(5, 16, 8, torch.float32)
    expected = _output_and_gradients(ours, z)
    with recomputing(wanted):
        found = _output_and_gradients(ours, z)
        kept = _kept_bytes(ours, z)
    again = _kept_bytes(ours, z)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    first = len(z) * 22 * 22 * 8 * 4  # what the second convolution is given
    more = kept - again  # making it again needs what it is made from
    assert 0.8 * first < more <= first if wanted is False else more == 0


def _kept_bytes(decoder: nn.Module, z: Tensor) -> int:
    """Bytes of distinct storages that a forward pass saves for the backward pass."""
    sizes: dict[int, int] = {}
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        decoder(z.requires_grad_())
    return sum(sizes.values())


def test_no_images() -> None:
    ours = SpatialBroadcastDecoder(5, 16)
    assert ours(torch.zeros(0, 5)).shape == (0, 4, 16, 16)


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 8, got 7"):
        SpatialBroadcastDecoder(5, 7)
    with pytest.raises(ValueError, match=r"\(N, 5\), got \(2, 6\)"):
        SpatialBroadcastDecoder(5, 16)(torch.zeros(2, 6))


def test_no_device_convolves_all_latents_at_once() -> None:
    values = 22 * 22 * 8
    assert latents_at_once("cpu", values) == 2
    assert latents_at_once("cuda", values) == latents_at_once("mps", values) == 64
    assert latents_at_once("cpu", 10**9) == 1
