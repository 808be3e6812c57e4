"""Weights files: headers, orders, lengths, round trips."""

import struct
from contextlib import nullcontext
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import GOLDEN, SHARED
from tests.networks import network
from yolodsc.darknet.cfg import read_cfg
from yolodsc.darknet.profile import ALEXEYAB, OPENCV, PJREDDIE, Profile
from yolodsc.errors import WeightsError, YolodscError
from yolodsc.network.network import Network
from yolodsc.network.weights import read_weights, write_weights

CONV = "convolutional filters=2 size=1 batch_normalize=1"


def numbered(path: Path, count: int, *, version: tuple[int, int] = (0, 2), seen: bytes = bytes(8)) -> Path:
    """A file that holds 0, 1, 2 and so on."""
    path.write_bytes(struct.pack("<iii", *version, 0) + seen + np.arange(count, dtype="<f4").tobytes())
    return path


def test_convolution_is_bias_scale_mean_variance_weights(tmp_path: Path) -> None:
    """In this order, row-major."""
    net = network(CONV)

    (arrays,) = read_weights(numbered(tmp_path / "a.weights", 14), net.layers).arrays

    assert {name: array.ravel().tolist() for name, array in arrays.items()} == {
        "biases": [0, 1],
        "scales": [2, 3],
        "rolling_mean": [4, 5],
        "rolling_variance": [6, 7],
        "weights": [8, 9, 10, 11, 12, 13],
    }


@pytest.mark.parametrize(
    ("layers", "name", "expected"),
    [
        ("connected output=2 batch_normalize=1", "scales", list(range(8, 10))),
        ("batchnorm", "rolling_variance", [9, 10, 11]),
        ("convolutional filters=2 size=1 flipped=1", "weights", [2, 4, 6, 3, 5, 7]),
        (f"{CONV} dontload=1\nconvolutional filters=1 size=1", "biases", [0]),
        (f"{CONV} dontloadscales=1", "weights", [2, 3, 4, 5, 6, 7]),
        ("dropout\nshortcut from=-1 weights_type=per_channel", "weights", [0, 1, 2, 3, 4, 5]),
        ("implicit filters=4", "weights", [0, 1, 2, 3]),
    ],
)
def test_orders_of_other_layers(tmp_path: Path, layers: str, name: str, expected: list[int]) -> None:
    """Batch norm after the weights, flipped, left out, weighted, implicit."""
    net = network(layers, height=1, width=1)
    count = sum(prod(layer.weight_shapes()[n]) for layer in net.layers for n in layer.stored())

    file = read_weights(numbered(tmp_path / "a.weights", count), net.layers)

    assert file.arrays[-1][name].ravel().tolist() == expected


def test_local_weights_are_one_matrix_a_location(tmp_path: Path) -> None:
    """Biases of every output number first."""
    net = network("local filters=2 size=1", channels=3, height=1, width=2)

    (arrays,) = read_weights(numbered(tmp_path / "a.weights", 16), net.layers).arrays

    assert arrays["weights"][1].tolist() == [[10, 11, 12], [13, 14, 15]]


@pytest.mark.parametrize(
    ("version", "seen", "size"),
    [((0, 2), bytes(8), 20), ((0, 1), bytes(4), 16), ((1, 0), bytes(8), 20), ((0, 2), bytes(4), 16), ((0, 1), bytes(8), 20)],
)
def test_header_by_version_or_else_by_the_files_size(tmp_path: Path, version: tuple[int, int], seen: bytes, size: int) -> None:
    """Where only the other length of ``seen`` makes the numbers fit, that length it is."""
    net = network(CONV)

    file = read_weights(numbered(tmp_path / "a.weights", 14, version=version, seen=seen), net.layers)

    assert file.header.size == size
    assert file.arrays[0]["biases"].tolist() == [0, 1]


def test_old_files_hold_transposed_connected_weights(tmp_path: Path) -> None:
    """Versions over 1000, with a header of 16 bytes."""
    net = network("connected output=2", channels=3, height=1, width=1)
    path = numbered(tmp_path / "a.weights", 8, version=(1001, 0), seen=bytes(4))

    file = read_weights(path, net.layers)
    write_weights(tmp_path / "b.weights", net.layers, file.arrays, header=file.header)

    assert file.arrays[0]["weights"].tolist() == [[2, 4, 6], [3, 5, 7]]
    assert (tmp_path / "b.weights").read_bytes() == path.read_bytes()


def test_short_files_say_at_which_layer_they_end(tmp_path: Path) -> None:
    """And how many numbers are missing; with partial the rest keeps its initial values."""
    net = network(f"{CONV}\n{CONV}")
    path = numbered(tmp_path / "a.weights", 17)

    with pytest.raises(WeightsError, match=r"ends at layer 1 \[convolutional\], in scales; 9 of 26 numbers are missing"):
        read_weights(path, net.layers)
    file = read_weights(path, net.layers, partial=True)

    assert "9 of 26 numbers are missing" in (file.note or "")
    assert file.arrays[1]["biases"].tolist() == [14, 15]
    assert file.arrays[1]["scales"].tolist() == [1, 1]
    assert not file.arrays[1]["weights"].any()


def test_surplus_numbers_are_refused_or_noted(tmp_path: Path) -> None:
    """They are the sign of another network's file."""
    net = network(CONV)
    path = numbered(tmp_path / "a.weights", 20)

    with pytest.raises(WeightsError, match="6 numbers are left over after the last layer"):
        read_weights(path, net.layers)

    assert "6 numbers are left over" in (read_weights(path, net.layers, partial=True).note or "")


@pytest.mark.parametrize("name", sorted(path.stem for path in (GOLDEN / "micro").glob("*.cfg")))
def test_micro_networks_are_saved_byte_by_byte(name: str, tmp_path: Path) -> None:
    """Load, save, compare."""
    stem = GOLDEN / "micro" / name

    Network.load(f"{stem}.cfg", f"{stem}.weights").save(tmp_path / "a.cfg", tmp_path / "a.weights")

    assert (tmp_path / "a.weights").read_bytes() == Path(f"{stem}.weights").read_bytes()
    assert read_cfg(tmp_path / "a.cfg") == read_cfg(f"{stem}.cfg")


MODELS = sorted(path for path in (SHARED / "data/models").glob("[!_]*") if path.is_dir())


@pytest.mark.skipif(not MODELS, reason=f"needs the reference material in {SHARED}")
@pytest.mark.parametrize("folder", MODELS, ids=lambda path: path.name)
def test_real_networks_are_saved_byte_by_byte(folder: Path, tmp_path: Path) -> None:
    """Load, save, compare."""
    stem = folder / folder.name

    Network.load(f"{stem}.cfg", f"{stem}.weights").save(tmp_path / "a.cfg", tmp_path / "a.weights")

    assert (tmp_path / "a.weights").read_bytes() == Path(f"{stem}.weights").read_bytes()


def test_a_real_file_with_a_short_header_loads(shared: Path) -> None:
    """Version 0.2 written where size_t has 4 bytes."""
    odd = shared / "data/models/_odd"

    network = Network.load(odd / "number_lenet.cfg", odd / "number_lenet_6673-32bit-seen.weights")

    assert network.header.seen_bytes == 4


def test_a_real_broken_download_is_refused(shared: Path, tmp_path: Path) -> None:
    """Its length is not even a multiple of 4."""
    cfg_file = shared / "data/golden/cfgs/alexeyab__yolov4-tiny-custom.cfg"

    with pytest.raises(WeightsError, match="numbers are missing"):
        Network.load(cfg_file, shared / "data/models/_odd/yolov4-tiny-truncated.weights")


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes, partial: bool) -> None:
    """Any file is read, or refused with an error of ours in one line."""
    net = network(f"{CONV}\nconnected output=2", height=1, width=1)
    path = tmp_path_factory.getbasetemp() / "fuzz.weights"
    path.write_bytes(content)

    try:
        read_weights(path, net.layers, partial=partial)
    except YolodscError as error:
        assert "\n" not in str(error)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    """Files appear whole or not at all."""
    net = network(CONV)
    path = tmp_path / "a.weights"
    path.write_bytes(b"precious")

    with pytest.raises(KeyError):
        write_weights(path, net.layers, [{}], header=net.header)

    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["a.weights"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("position", "place"), [(0, "biases"), (9, "weights")])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, value: float, position: int, place: str) -> None:
    """The message names the layer and the array; allow_nonfinite goes on."""
    files = pair(tmp_path, {position: value})

    with pytest.raises(
        WeightsError, match=rf"layer 0 \[convolutional\], in {place}: 1 of \d+ values is not finite; .*allow_nonfinite=True"
    ):
        Network.load(*files)

    assert not np.isfinite(Network.load(*files, allow_nonfinite=True).weights[0][place]).all()


@pytest.mark.parametrize(
    ("profile", "variance", "refused"),
    [
        (ALEXEYAB, -1e-4, True),
        (ALEXEYAB, -1e-6, False),
        (ALEXEYAB, 0.0, False),
        (PJREDDIE, -1e-6, True),
        (PJREDDIE, 0.0, False),
        (OPENCV, -1e-5, True),
    ],
)
def test_variances_without_a_root_are_refused(tmp_path: Path, profile: Profile, variance: float, refused: bool) -> None:
    """Where the profile's batch normalization would divide by NaN; rounding below 0 that the epsilon covers is not."""
    files = pair(tmp_path, {7: variance})

    expected = r"in rolling_variance: 1 of 2 values is below the minimum variance"
    with pytest.raises(WeightsError, match=expected) if refused else nullcontext():
        Network.load(*files, profile=profile)
    assert Network.load(*files, profile=profile, allow_nonfinite=True).weights[0]["rolling_variance"][1] == np.float32(variance)


def pair(folder: Path, changes: dict[int, float]) -> tuple[Path, Path]:
    """A cfg of one convolution, and 14 weights of 1 with some changed."""
    cfg_file, weights_file = folder / "a.cfg", folder / "a.weights"
    cfg_file.write_text("[net]\nchannels=3\nheight=4\nwidth=4\n[convolutional]\nfilters=2\nbatch_normalize=1\nactivation=linear\n")
    numbers = np.ones(14, "<f4")
    for index, value in changes.items():
        numbers[index] = value
    weights_file.write_bytes(struct.pack("<iii", 0, 2, 5) + bytes(8) + numbers.tobytes())
    return cfg_file, weights_file
