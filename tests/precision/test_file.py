"""``NAME.quant.npz``: what is written is read again, and what does not fit is refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.networks import image, network
from yolodsc.errors import QuantizationError
from yolodsc.network.network import Network
from yolodsc.precision import minmax_quantization, quantized_forward, read_quantization, write_quantization

LAYERS = """
convolutional filters=8 size=3 pad=1 activation=leaky
maxpool size=2 stride=2
convolutional filters=4 size=1 activation=linear
"""


@pytest.fixture
def net() -> Network:
    """A network of two convolutions and a pool."""
    return network(LAYERS)


@pytest.fixture
def written(net: Network, tmp_path: Path) -> Path:
    """Its quantization in a file."""
    path = tmp_path / "tiny.quant.npz"
    write_quantization(path, net, minmax_quantization(net, [image(net)]))
    return path


def test_a_file_gives_the_same_outputs(net: Network, written: Path) -> None:
    """Scales, weights and provenance survive the file bit for bit, and the file is the same each time."""
    quantization, x = minmax_quantization(net, [image(net)]), image(net, seed=5)

    found = read_quantization(written, net)

    pairs = zip(quantized_forward(net, found, x), quantized_forward(net, quantization, x), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert found.provenance == {"method": "minmax"}
    content = written.read_bytes()
    write_quantization(written, net, found)
    assert written.read_bytes() == content


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.pop(name)


def _with(**changed: Any) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.update({name.replace("__", "."): value for name, value in changed.items()})


BROKEN: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (_without("format"), "format: got none"),
    (_with(format=np.array("yolodsc quantization 9")), "format: got 'yolodsc quantization 9'"),
    (_with(digest=np.array("0")), "digest: made for other weights"),
    (_without("scales"), "scales: is missing"),
    (_without("layer_0.bias"), "layer_0.bias: is missing"),
    (_with(strange=np.zeros(1)), "strange: got an array"),
    (_with(layer_1__weights=np.zeros((8, 8, 1, 1), np.int8)), "layer_1.weights: got an array"),
    (_with(layer_0__weights=np.zeros((8, 3, 1, 1), np.int8)), "layer_0.weights: got int8 (8, 3, 1, 1)"),
    (_with(layer_0__weights=np.full((8, 3, 3, 3), -128, np.int8)), "layer 0.weights: got -128"),
    (_with(layer_0__weights=np.zeros((8, 3, 3, 3), np.int16)), "layer_0.weights: got int16"),
    (_with(layer_0__weight_scale=np.zeros(8, np.float32)), "layer 0.weight_scale: got a scale that is not positive"),
    (_with(layer_0__weight_scale=np.full(8, 1e-30, np.float32)), "layer 0: got sums beyond 32 bits"),
    (_with(layer_0__weight_scale=np.full(8, 2e-38, np.float32)), "layer 0.weight_scale: got a product"),
    (_with(layer_0__bias=np.full(8, np.nan, np.float32)), "layer 0.bias: got a number that is not finite"),
    (_with(scales=np.array([1, 1], np.float32)), "got lengths 3, 2 and 3"),
    (_with(scales=np.array([0, 1, 1], np.float32)), "tensor -1: got scale 0"),
    (_with(scales=np.array([np.nan, 1, 1], np.float32)), "tensor -1: got scale nan"),
    (_with(scales=np.array([1, 1, 2], np.float32)), "tensor 0: got scale 1, zero point"),
    (_with(tensors=np.array([-1, 0, 0], np.int32)), "tensors: got an index twice"),
    (_with(tensors=np.array([-1, 0, 7], np.int32)), "tensor 7: got a scale"),
    (
        _with(tensors=np.array([0, 1, 2], np.int32), scales=np.ones(3, np.float32), zero_points=np.zeros(3, np.uint8)),
        "tensor -1: got no scale",
    ),
    (_with(bf16=np.array([0], np.int32)), "bf16: got layer 0, which has 8-bit weights"),
    (_with(bf16=np.array([1], np.int32)), "layer 1: got precision bf16"),
    (_with(bf16=np.array([9], np.int32)), "layer 9: got precision bf16"),
]


@pytest.mark.parametrize(("change", "expected"), BROKEN, ids=[expected[:40] for _, expected in BROKEN])
def test_a_value_that_does_not_fit_is_refused(
    net: Network, written: Path, change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    """One line names the file, the value and what was expected."""
    with np.load(written) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(written, **arrays)

    with pytest.raises(QuantizationError) as caught:
        read_quantization(written, net)

    assert str(caught.value).startswith(f"{written}: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_archive_is_refused(net: Network, tmp_path: Path) -> None:
    """Text in place of an archive, and a missing file, give the error of the quantization."""
    path = tmp_path / "x.quant.npz"
    with pytest.raises(QuantizationError, match="cannot be read"):
        read_quantization(path, net)
    path.write_text("no archive")
    with pytest.raises(QuantizationError, match="cannot be read"):
        read_quantization(path, net)
