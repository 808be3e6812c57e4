"""Folding of batch norm and of separable layers, and partial networks."""

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import GOLDEN
from tests.convert.files import pair
from tests.networks import image, network
from yolodsc.arrays import Array
from yolodsc.convert.batch_norm import fold_batch_norm
from yolodsc.convert.partial import first_layers
from yolodsc.convert.separable import fold_separable
from yolodsc.darknet.profile import PJREDDIE, Profile
from yolodsc.decompose.driver import decompose
from yolodsc.decompose.settings import DecomposeSettings
from yolodsc.errors import ConversionError
from yolodsc.network.layers.convolutional import ConvolutionalLayer
from yolodsc.network.network import Network

MICRO = sorted(path.stem for path in (GOLDEN / "micro").glob("*.cfg"))
SEPARABLE = """
convolutional filters=4 activation=leaky
convolutional filters=4 size=3 pad=1 groups=4 activation=linear
convolutional filters=6 activation=leaky
convolutional filters=6 size=3 pad=1 groups=6 activation=linear
convolutional filters=4 activation=linear
shortcut from=-5 activation=linear
route layers=-2,2,5
convolutional filters=14 activation=leaky
convolutional filters=14 activation=leaky share_index=7
convolutional filters=14 activation=leaky share_index=-1
"""
NORMS = ["", "batch_normalize=1"]


def close(found: Array, expected: Array) -> bool:
    """Compare arrays within 1e-5 of the largest number."""
    return float(np.abs(found - expected).max()) < 1e-5 * max(float(np.abs(expected).max()), 1e-6)


def norms(net: Network) -> list[int]:
    """Return the layers that have batch norm."""
    return [layer.index for layer in net.layers if getattr(layer, "batch_normalize", False)]


@pytest.mark.parametrize("name", MICRO)
def test_outputs_stay_where_batch_norm_is_folded(name: str) -> None:
    """The outputs of all layers agree, and no batch norm is left."""
    stem = GOLDEN / "micro" / name
    net = Network.load(f"{stem}.cfg", f"{stem}.weights")
    x = np.random.default_rng(0).uniform(0, 1, net.input_shape).astype(np.float32)

    folded = fold_batch_norm(net)

    assert not norms(folded)
    assert all(close(*outputs) for outputs in zip(folded.forward(x), net.forward(x), strict=True))


@pytest.mark.parametrize(
    "layers",
    [
        "connected output=5 batch_normalize=1 activation=leaky",
        "convolutional filters=3 cbn=1 activation=leaky\nconvolutional filters=3 batch_normalize=1 share_index=0",
        "convolutional filters=3 flipped=1 size=3 batch_normalize=1 activation=leaky",
        "convolutional filters=3 dontloadscales=0 batch_normalize=1 activation=leaky",
    ],
)
def test_the_folded_network_can_be_saved_and_read(layers: str, tmp_path: Path) -> None:
    """The network has connected, shared and transposed weights."""
    net = network(layers)
    x = image(net)

    fold_batch_norm(net).save(tmp_path / "folded.cfg", tmp_path / "folded.weights")

    found = Network.load(tmp_path / "folded.cfg", tmp_path / "folded.weights")
    assert not norms(found)
    assert "batch_normalize" not in (tmp_path / "folded.cfg").read_text()
    assert close(found.forward(x)[-1], net.forward(x)[-1])


@pytest.mark.parametrize("options", ["xnor=1", "dontload=1", "dontloadscales=1"])
def test_batch_norm_that_cannot_be_folded_stays(options: str) -> None:
    """Binarized layers and layers without stored arrays keep it, and so do layers that share their weights."""
    net = network(
        f"convolutional filters=3 size=3 pad=1 batch_normalize=1 activation=leaky {options}\n"
        "convolutional filters=3 size=3 pad=1 batch_normalize=1 share_index=0 activation=leaky"
    )

    assert norms(fold_batch_norm(net)) == norms(net) == [0, 1]


def test_the_profile_says_what_is_folded() -> None:
    """Epsilons differ between profiles, and so do the folded weights."""
    layers = "convolutional filters=3 batch_normalize=1 activation=leaky"
    ours, theirs = (fold_batch_norm(network(layers, profile=p)).weights[0] for p in (network(layers).profile, PJREDDIE))

    assert not np.array_equal(ours["weights"], theirs["weights"])


@pytest.mark.parametrize("inner", NORMS)
@pytest.mark.parametrize("outer", NORMS)
@pytest.mark.parametrize(
    "geometry",
    ["size=3 pad=1 filters=4", "size=5 pad=1 stride=2 filters=12", "size=3 pad=1 dilation=2 filters=8", "size=2 filters=4"],
)
def test_depthwise_and_pointwise_are_one_convolution(geometry: str, inner: str, outer: str) -> None:
    """Either may have batch norm; multipliers, strides, dilation and padding vary."""
    net = network(
        f"convolutional filters=4 activation=leaky\nconvolutional groups=4 {geometry} {inner} activation=linear\n"
        f"convolutional filters=6 {outer} activation=leaky",
        height=11,
        width=9,
    )
    x = image(net)

    folded = fold_separable(net)

    assert [layer.type for layer in folded.layers] == ["convolutional"] * 2
    assert norms(folded) == ([1] if outer else [])
    assert close(folded.forward(x)[-1], net.forward(x)[-1])


@pytest.mark.parametrize("profile", [PJREDDIE])
def test_strides_of_two_kinds_are_kept(profile: Profile) -> None:
    """The profile's epsilon is used."""
    net = network(
        "convolutional filters=3 groups=3 size=3 pad=1 stride_x=2 stride_y=3 batch_normalize=1 activation=linear\n"
        "convolutional filters=5 activation=mish",
        profile=profile,
    )
    x = image(net)

    assert close(fold_separable(net).forward(x)[-1], net.forward(x)[-1])


def test_references_move_with_their_layers(tmp_path: Path) -> None:
    """Absolute and relative references survive saving and loading."""
    net = network(SEPARABLE)
    x = image(net)

    fold_separable(net).save(tmp_path / "folded.cfg", tmp_path / "folded.weights")

    found = Network.load(tmp_path / "folded.cfg", tmp_path / "folded.weights")
    expected = [output for index, output in enumerate(net.forward(x)) if index not in (1, 3)]
    assert [layer.type for layer in found.layers] == ["convolutional"] * 3 + ["shortcut", "route"] + ["convolutional"] * 3
    assert found.layers[4].sources == (2, 1, 3)
    assert all(found.weights[index] is found.weights[5] for index in (6, 7))
    assert all(close(*outputs) for outputs in zip(found.forward(x), expected, strict=True))


@pytest.mark.parametrize(
    "layers",
    [
        "convolutional filters=3 groups=3 size=3 pad=1 activation=relu\nconvolutional filters=4 activation=linear",
        "convolutional filters=3 groups=3 size=3 pad=1 activation=linear\nconvolutional filters=4 stride=2 activation=linear",
        "convolutional filters=3 groups=3 size=3 pad=1 activation=linear\nconvolutional filters=4 padding=1 activation=linear",
        "convolutional filters=3 groups=3 size=3 pad=1 activation=linear\nconvolutional filters=4 xnor=1 activation=linear",
        "convolutional filters=3 groups=3 size=3 pad=1 activation=linear antialiasing=1\nconvolutional filters=4 activation=linear",
        "convolutional filters=3 size=3 pad=1 activation=linear\nconvolutional filters=4 activation=linear",
        "convolutional filters=3 groups=3 activation=linear\nconvolutional filters=4 activation=linear\nroute layers=0",
        "convolutional filters=3 groups=3 activation=linear\nmaxpool size=1\nconvolutional filters=4 activation=linear",
        "convolutional filters=3 groups=3 activation=linear\nconvolutional filters=3 activation=linear\n"
        "convolutional filters=3 share_index=1 activation=linear",
    ],
)
def test_what_is_no_pair_is_not_folded(layers: str) -> None:
    """Activations between, other geometry, other readers and shared weights prevent folding; a network without pairs is refused."""
    with pytest.raises(ConversionError, match=r"^test.cfg: nothing to fold; expected a depthwise convolution"):
        fold_separable(network(layers))


def test_folding_undoes_a_decomposition() -> None:
    """The outputs are those of the separable network; layers and multiplications are the original's."""
    net = network(
        "convolutional filters=8 size=3 pad=1 activation=leaky\nmaxpool size=2\n"
        "convolutional filters=12 size=3 pad=1 activation=leaky\n"
        "convolutional filters=8 size=3 pad=1 activation=linear\nroute layers=-1,-2"
    )
    images = np.random.default_rng(0).uniform(0, 1, (8, *net.input_shape)).astype(np.float32)
    separable = decompose(net, images, DecomposeSettings(method="als")).network
    assert len(separable.layers) > len(net.layers)

    folded = fold_separable(separable)

    assert close(folded.forward(images[0])[-1], separable.forward(images[0])[-1])
    assert [layer.type for layer in folded.layers] == [layer.type for layer in net.layers]
    assert [layer.multiply_adds() for layer in folded.layers] == [layer.multiply_adds() for layer in net.layers]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_first_layers_are_the_front_of_the_file(count: int, tmp_path: Path) -> None:
    """The bytes are equal except for the image count, which is 0; the outputs are equal."""
    net = Network.load(pair(tmp_path), tmp_path / "tiny.weights")
    net = net.with_weights(net.weights, header=type(net.header)(seen=640))
    x = image(net)

    front = first_layers(net, count)
    front.save(tmp_path / "front.cfg", tmp_path / "front.weights")

    content = (tmp_path / "front.weights").read_bytes()
    assert content[20:] == (tmp_path / "tiny.weights").read_bytes()[20 : len(content)]
    assert front.header.pack() == content[:20] == bytes([0, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, *[0] * 8])
    found = Network.load(tmp_path / "front.cfg", tmp_path / "front.weights").forward(x)
    assert all(np.array_equal(*outputs) for outputs in zip(found, net.forward(x)[:count], strict=True))


def test_the_whole_network_reads_the_first_layers(tmp_path: Path) -> None:
    """Darknet reads ``darknet53.conv.74`` into networks with other heads in the same way."""
    net = Network.load(pair(tmp_path), tmp_path / "tiny.weights")
    first_layers(net, 2).save(tmp_path / "front.cfg", tmp_path / "front.weights")

    found = Network.load(tmp_path / "tiny.cfg", tmp_path / "front.weights", partial=True)

    for index in (0, 1):
        assert all(np.array_equal(found.weights[index][name], net.weights[index][name]) for name in net.weights[index])
    assert not found.weights[2]["weights"].any()
    assert isinstance(found.layers[2], ConvolutionalLayer)


@pytest.mark.parametrize("count", [-1, 0, 5])
def test_more_layers_than_there_are_are_refused(count: int, tmp_path: Path) -> None:
    """Zero layers are refused, too."""
    net = Network.load(pair(tmp_path), tmp_path / "tiny.weights")

    with pytest.raises(ConversionError, match=f"the first {count} layers: the network has 4"):
        first_layers(net, count)
