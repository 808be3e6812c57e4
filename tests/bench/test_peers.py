"""All engines run the same network; the tests compare outputs, not times."""

from pathlib import Path

import numpy as np
import pytest

from tests.networks import network
from yolodsc.bench.peers import ENGINES, find_engine
from yolodsc.bench.peers.ncnn_model import write
from yolodsc.bench.subject import Subject, benchmark_image, benchmark_subject
from yolodsc.bench.timing import compare
from yolodsc.errors import OptionError
from yolodsc.precision import minmax_quantization

BLOCKS = """
convolutional filters=8 size=3 stride=2 pad=1 batch_normalize=1 activation=leaky
maxpool size=2 stride=1
convolutional filters=16 size=1 batch_normalize=1 activation=relu6
convolutional filters=16 groups=16 size=3 pad=1 batch_normalize=1 activation=swish
convolutional filters=8 size=1 batch_normalize=1 activation=linear
shortcut from=1 activation=linear
route layers=-1 groups=2 group_id=1
convolutional filters=6 size=3 stride=2 pad=1 activation=mish
upsample stride=2
route layers=-1,2
avgpool
convolutional filters=22 size=1 activation=logistic
scale_channels from=9 activation=linear
convolutional filters=7 size=1 activation=linear
"""


def made(tmp_path: Path, layers: str = BLOCKS) -> Subject:
    """Return the files of one small network for every engine."""
    return benchmark_subject("small", network(layers, height=16, width=16), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino-f32", "ncnn", "torch"])
def test_an_engine_computes_what_ours_computes(engine: str, tmp_path: Path) -> None:
    """Batch norm is folded with Darknet's epsilon for every engine."""
    pytest.importorskip(find_engine(engine).distribution)

    results, missing = compare(made(tmp_path), [engine], threads=2, rounds=1, seed=0, peak_gflops=None)

    assert not missing
    assert [result.engine for result in results] == ["yolodsc", engine]
    assert results[1].max_relative_difference < 1e-5
    assert [result.precision for result in results] == ["f32", "f32"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnxruntime-qdq", "openvino-qdq"])
def test_int8_engines_read_our_quantization(engine: str, tmp_path: Path) -> None:
    """Ours in int8 and the peer differ from float32 by the quantization, and the ratio is between the two."""
    pytest.importorskip(find_engine(engine).distribution)
    net = network(BLOCKS, height=16, width=16)
    quantization = minmax_quantization(net, [benchmark_image(net.input_shape)])
    subject = benchmark_subject("small", net, tmp_path, quantization=quantization)

    options = {"threads": 1, "rounds": 1, "seed": 0, "peak_gflops": None, "precisions": ("f32", "int8")}
    results, missing = compare(subject, [engine], **options)

    assert not missing
    assert [result.engine for result in results] == ["yolodsc", "yolodsc-int8", engine]
    assert [result.precision for result in results] == ["f32", "int8", "int8"]
    assert results[1].ratio == 1
    assert all(1e-4 < result.max_relative_difference < 0.2 for result in results[1:])


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "library"), [("onnxruntime-int8", "onnxruntime"), ("openvino-int8", "nncf")])
def test_int8_engines_calibrate_on_the_given_images(engine: str, library: str, tmp_path: Path) -> None:
    """Calibrated on images of another brightness, they clip the input and differ far more; what they make is kept for each."""
    pytest.importorskip(library)
    net, kept = network(BLOCKS, height=16, width=16), tmp_path / "kept"
    kept.mkdir()
    differences, made_at = [], []
    for factor in (1.0, 0.05, 1.0):
        folder = tmp_path / str(len(differences))
        folder.mkdir()
        images = np.stack([factor * benchmark_image(net.input_shape, seed=seed) for seed in range(4)])
        subject = benchmark_subject("small", net, folder, calibration=images.astype(np.float32), keep=kept)
        results, missing = compare(subject, [engine], threads=1, rounds=1, seed=0, peak_gflops=None)
        assert not missing
        assert results[1].precision == "int8"
        differences.append(results[1].max_relative_difference)
        made_at.append({file.name: file.stat().st_mtime_ns for file in kept.iterdir()})

    assert len(made_at[0]) < len(made_at[1])
    assert made_at[1] == made_at[2]
    assert differences[0] == differences[2]
    assert 1e-4 < differences[0] < 0.2
    assert differences[1] > 2 * differences[0]


@pytest.mark.slow
def test_openvino_by_default_reports_the_precision_that_it_selects(tmp_path: Path) -> None:
    """The label is the precision that OpenVINO selects for this processor, and the size of the difference agrees with it."""
    openvino = pytest.importorskip("openvino")
    chosen = openvino.Core().get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()

    results, missing = compare(made(tmp_path), ["openvino"], threads=1, rounds=1, seed=0, peak_gflops=None)

    assert not missing
    assert results[1].precision == chosen
    assert (results[1].max_relative_difference > 1e-4) == (chosen != "f32")


@pytest.mark.slow
def test_opencv_reads_the_darknet_pair_itself(tmp_path: Path) -> None:
    """OpenCV uses another epsilon, so its outputs are only close to ours."""
    layers = BLOCKS.replace("relu6", "relu").replace("activation=mish", "activation=leaky")

    results, missing = compare(made(tmp_path, layers), ["opencv"], threads=1, rounds=1, seed=0, peak_gflops=None)

    assert not missing
    assert results[1].max_relative_difference < 0.01


@pytest.mark.slow
def test_a_network_that_an_engine_cannot_run_is_timed_without_it(tmp_path: Path) -> None:
    """The error names the layer."""
    pytest.importorskip("ncnn", reason="needs ncnn, which refuses the network")
    odd = made(tmp_path, "convolutional filters=4 size=1 activation=loggy")

    results, missing = compare(odd, ["ncnn"], threads=1, rounds=1, seed=0, peak_gflops=None)

    assert [result.engine for result in results] == ["yolodsc"]
    assert missing[0].reason == "OptionError: activation=loggy is not written for ncnn"


def test_ncnn_counts_layers_and_blobs_as_its_format_requires(tmp_path: Path) -> None:
    """Every blob is written once and read once."""
    small = network(BLOCKS, height=16, width=16)

    write(small, [13, 5], param=tmp_path / "n.param", binary=tmp_path / "n.bin")

    magic, counts, *lines = (tmp_path / "n.param").read_text().splitlines()
    words = [line.split() for line in lines]
    read = [blob for w in words for blob in w[4 : 4 + int(w[2])]]
    written = [blob for w in words for blob in w[4 + int(w[2]) : 4 + int(w[2]) + int(w[3])]]
    assert (magic, counts) == ("7767517", f"{len(lines)} {len(written)}")
    assert len(set(written)) == len(written)
    assert sorted(written) == sorted([*read, "out5", "out13"])


def test_every_engine_is_found_by_name() -> None:
    """Unknown names give an error that lists the engines."""
    assert all(find_engine(name).__name__ == kind for name, (_, kind) in ENGINES.items())
    with pytest.raises(
        OptionError,
        match=r"peers=tflite: expected some of .*, openvino, openvino-f32, openvino-int8, openvino-qdq, ncnn, ncnn-bf16, torch",
    ):
        find_engine("tflite")


def test_images_and_random_weights_are_the_same_every_time(tmp_path: Path) -> None:
    """Two runs of a comparison have the same input."""
    from yolodsc.bench.subject import benchmark_image, random_network

    (tmp_path / "tiny.cfg").write_text(
        "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=4\nsize=3\nbatch_normalize=1\n"
    )

    (name, first), (_, second) = random_network(tmp_path / "tiny.cfg"), random_network(tmp_path / "tiny.cfg")

    assert name == "tiny"
    assert all(np.array_equal(first.weights[0][key], second.weights[0][key]) for key in first.weights[0])
    assert np.array_equal(benchmark_image(first.input_shape), benchmark_image(second.input_shape))
    assert np.all(first.forward(benchmark_image(first.input_shape))[-1].std(axis=(1, 2)) > 0)
