"""`quantize` and its command on a small network."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.networks import network
from yolodsc.cli import run
from yolodsc.errors import QuantizationError
from yolodsc.network.network import Network
from yolodsc.precision import check_quantization, minmax_quantization, quantized_forward, read_quantization
from yolodsc.quantize import QuantizeSettings, image_doubts, quantize, result_doubts
from yolodsc.quantize.simulation import SimulatedRunner

LAYERS = """
convolutional filters=8 size=3 pad=1 stride=2 activation=leaky batch_normalize=1
convolutional filters=24 size=1 activation=relu
convolutional filters=24 groups=24 size=3 pad=1 activation=relu
convolutional filters=8 size=1 activation=linear batch_normalize=1
shortcut from=-4 activation=linear
convolutional filters=18 size=1 activation=linear
yolo mask=0,1,2 anchors=4,4,8,8,12,12 classes=1 num=3
"""


@pytest.fixture(scope="module")
def net() -> Network:
    """A residual block and a head, for images of 16 x 16."""
    return network(LAYERS, height=16, width=16)


@pytest.fixture(scope="module")
def images(net: Network) -> np.ndarray:
    """Twenty images of smooth blocks."""
    random = np.random.default_rng(0)
    return random.random((20, 3, 4, 4)).repeat(4, axis=2).repeat(4, axis=3).astype(np.float32)


def output_error(net: Network, quantized: list[np.ndarray], x: np.ndarray) -> float:
    """Relative error at the input of the head."""
    expected = net.forward(x)[5]
    return float(np.linalg.norm(quantized[5] - expected) / np.linalg.norm(expected))


def test_calibration_beats_the_extremes(net: Network, images: np.ndarray) -> None:
    """All layers run in int8 with a smaller error than minimum, maximum and nearest rounding give."""
    result = quantize(net, images, QuantizeSettings(keep_agreement=0.0))

    check_quantization(result.network, result.quantization)
    assert {layer.precision for layer in result.layers} == {"int8"}
    plain = minmax_quantization(net, images)
    errors = [output_error(net, quantized_forward(result.network, result.quantization, x), x) for x in images[-4:]]
    worse = [output_error(net, quantized_forward(net, plain, x), x) for x in images[-4:]]
    assert np.mean(errors) < np.mean(worse)
    assert result.output_error < 0.05


@pytest.mark.slow
def test_agreement_is_kept_by_bf16_layers(net: Network, images: np.ndarray) -> None:
    """An aim that int8 does not reach moves layers to bf16, and the network comes nearer to float32."""
    rough = quantize(net, images, QuantizeSettings(keep_agreement=0.0))
    fine = quantize(net, images, QuantizeSettings(keep_agreement=1.0, max_bf16_share=1.0))

    assert rough.agreement is not None
    assert fine.agreement is not None
    if rough.agreement[0] < 1:
        assert "bf16" in {layer.precision for layer in fine.layers}
    assert fine.agreement[0] >= rough.agreement[0]


def test_results_do_not_depend_on_threads(net: Network, images: np.ndarray) -> None:
    """One and two threads give the same scales and weights."""
    first, second = (quantize(net, images, QuantizeSettings(threads=count)) for count in (1, 2))

    assert first.quantization.scales == second.quantization.scales
    for index, weights in first.quantization.weights.items():
        assert np.array_equal(weights.weights, second.quantization.weights[index].weights)


def test_equalized_networks_compute_the_same_floats(net: Network, images: np.ndarray) -> None:
    """With or without equalization the outputs in float32 are those of the original."""
    result = quantize(net, images, QuantizeSettings())

    np.testing.assert_allclose(result.network.forward(images[0])[5], net.forward(images[0])[5], rtol=1e-4, atol=1e-5)


def test_the_simulation_is_near_the_exact_reference(net: Network, images: np.ndarray) -> None:
    """Outputs differ from the exact ones by less than the quantization itself does."""
    quantization = minmax_quantization(net, images)

    with SimulatedRunner(net, quantization, threads=1, outputs=[5]) as runner:
        found = runner(images[0])[5]

    exact = quantized_forward(net, quantization, images[0])[5]
    assert np.linalg.norm(found - exact) < 0.5 * np.linalg.norm(exact - net.forward(images[0])[5])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda x: x, []),
        (lambda x: x[:5], ["5 images are few, 300 are better"]),
        (lambda x: np.concatenate([x, x[:3]]), ["3 of 43 images are copies of others"]),
        (lambda x: np.concatenate([x, x[:2] * 0.01]), ["2 of 42 images have nearly one colour"]),
    ],
)
def test_odd_images_are_named(change: Callable[[np.ndarray], np.ndarray], expected: list[str]) -> None:
    """Few images, copies, and images of one colour; forty different ones are not odd."""
    ordinary = np.random.default_rng(3).random((40, 3, 8, 8)).astype(np.float32)

    assert image_doubts(change(ordinary)) == expected


def test_agreement_without_detections_is_doubted(net: Network, images: np.ndarray) -> None:
    """A head that never detects anything agrees with every other."""
    biases = [dict(arrays) for arrays in net.weights]
    biases[5]["biases"] = biases[5]["biases"] - 50
    silent = quantize(net.with_weights(biases), images, QuantizeSettings(keep_agreement=0.0))
    heard = quantize(net, images, QuantizeSettings(keep_agreement=0.0))

    assert silent.agreement == (1.0, 1.0)
    assert "detects nothing" in " ".join(result_doubts(silent))
    assert heard.detections > 0
    assert result_doubts(heard) == []


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("convolutional filters=3 groups=3 size=3 pad=1 activation=relu", 4, "nothing to quantize"),
        ("convolutional filters=3 size=3 pad=1 activation=relu", 1, "1 images; expected at least 2"),
    ],
)
def test_what_cannot_be_quantized_is_refused(text: str, count: int, expected: str) -> None:
    """Networks without products and single images give an error of one line."""
    with pytest.raises(QuantizationError, match=expected):
        quantize(network(text), np.zeros((count, 3, 8, 8), np.float32), QuantizeSettings())


@pytest.mark.parametrize(("name", "value"), [("keep_agreement", 1.5), ("max_bf16_share", -1), ("budget_ms", 0.0)])
def test_settings_are_validated(name: str, value: float) -> None:
    """A setting outside its range is refused by name."""
    with pytest.raises(QuantizationError, match=f"{name}="):
        QuantizeSettings(**{name: value})


@pytest.mark.slow
def test_the_command_writes_a_network_that_detect_runs_in_int8(
    net: Network, images: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Quantize writes the pair, its quantization and the report; detect and convert read them; nothing is overwritten."""
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    pictures.mkdir()
    for number, image in enumerate(images):
        Image.fromarray((255 * image.transpose(1, 2, 0)).astype(np.uint8)).save(pictures / f"{number}.png")
    net.save(tmp_path / "tiny.cfg", tmp_path / "tiny.weights")
    (tmp_path / "tiny.names").write_text("one\n")
    command = ["quantize", "--cfg", str(tmp_path / "tiny.cfg"), "--weights", str(tmp_path / "tiny.weights")]
    command += ["--names", str(tmp_path / "tiny.names"), "--images", str(pictures), "--out", str(out)]

    assert run([*command, "--report", str(out / "report")]) == 0

    printed = capsys.readouterr()
    assert printed.out.startswith("layer  precision  MMAC")
    assert "\ndetections that agree (F1" in printed.out
    assert f"yolodsc: --images {pictures}: 20 images are few, 300 are better\n" in printed.err
    stem = out / "tiny-int8"
    assert printed.err.endswith(f"wrote {stem}.cfg, .weights, .names and .quant.npz, report to {out / 'report'}/\n")
    assert {path.name for path in out.iterdir()} == {f"tiny-int8.{e}" for e in ("cfg", "weights", "names", "quant.npz")} | {
        "report"
    }
    assert {path.suffix for path in (out / "report").iterdir()} == {".md", ".json", ".png"}
    assert len(json.loads((out / "report/report.json").read_text())["layers"]) == 4
    quantized = Network.load(out / "tiny-int8.cfg", out / "tiny-int8.weights")
    assert read_quantization(out / "tiny-int8.quant.npz", quantized).provenance["images"] == "20"
    assert run(["detect", "--model", str(out), "--precision", "int8", str(pictures / "0.png")]) == 0
    assert run(["convert", str(out / "tiny-int8.cfg"), str(out / "tiny.onnx"), "--int8"]) == 0
    assert run(command) == 2
    assert "is there already" in capsys.readouterr().err
