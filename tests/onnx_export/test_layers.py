"""Export of each layer type and its options."""

from pathlib import Path

import pytest

from tests.networks import network
from tests.onnx_export.runtime import TOLERANCE, difference
from yolodsc.convert.onnx.activations import ACTIVATIONS
from yolodsc.convert.onnx.export import export_onnx
from yolodsc.convert.onnx.layers import LAYERS
from yolodsc.darknet.profile import PJREDDIE
from yolodsc.errors import ConversionError
from yolodsc.network.layers import LAYER_TYPES
from yolodsc.network.reference import activations

CONV = "convolutional filters=6 size=3 pad=1 activation=leaky"
BOXES = "convolutional filters=14 activation=linear"

CASES = {
    "xnor": f"{CONV}\nconvolutional filters=4 size=3 pad=1 xnor=1 batch_normalize=1 activation=linear",
    "xnor over more than the margin": f"{CONV}\nconvolutional filters=4 size=3 padding=2 stride=3 xnor=1 activation=linear",
    "map as it lies in memory": f"{CONV}\nconvolutional filters=4 stride_x=1 stride_y=2 groups=2 activation=relu",
    "more columns than pixels": f"{CONV}\nconvolutional filters=4 size=2 pad=1 dilation=2 groups=2 activation=relu",
    "fewer columns than pixels": f"{CONV}\nconvolutional filters=4 size=3 dilation=2 groups=2 activation=relu",
    "fixed entries of region": (
        "convolutional filters=16 activation=linear\nregion classes=2 num=2 coords=5 anchors=1,2,3,4 softmax=1"
    ),
    "strides of two kinds": "convolutional filters=4 size=3 pad=1 stride_x=2 stride_y=3 activation=mish",
    "dilation larger than the map": "convolutional filters=4 size=3 pad=1 dilation=5 activation=relu",
    "windows that do not fill the map": "convolutional filters=4 size=2 padding=0 stride=3 activation=relu",
    "even kernels": "convolutional filters=4 size=4 pad=1 stride=2 activation=relu",
    "blur of 2x2": "convolutional filters=4 size=3 pad=1 stride=2 antialiasing=2 activation=relu",
    "connected after a map": "connected output=5 batch_normalize=1 activation=leaky",
    "local": "local filters=4 size=3 stride=2 pad=1 activation=leaky",
    "pool without padding": "maxpool size=3 stride=2 padding=0",
    "pool of stride one": "maxpool size=2 stride=1",
    "pool with windows outside": f"{CONV}\nmaxpool size=2 stride=2 padding=6",
    "pool over channels": f"{CONV}\nmaxpool maxpool_depth=1 out_channels=4",
    "pool with blur": "maxpool size=2 stride=2 antialiasing=1",
    "mean of windows": "local_avgpool size=3 stride=2",
    "mean of windows and padding": "local_avgpool size=5 stride=1 padding=4",
    "reorg": "convolutional filters=8 activation=linear\nreorg stride=2",
    "reorg backwards": "convolutional filters=8 activation=linear\nreorg stride=2 reverse=1",
    "reorg3d": "reorg3d stride=2",
    "reorg3d backwards": "convolutional filters=32 activation=linear\nreorg3d stride=2 reverse=1",
    "upsample with scale": "upsample stride=3 scale=.5",
    "upsample backwards": "upsample stride=-2",
    "crop": "crop crop_height=5 crop_width=6",
    "crop without shift": "crop crop_height=5 crop_width=6 noadjust=1",
    "route of groups": f"{CONV}\n{CONV}\nroute layers=-1,0 groups=3 group_id=1",
    "shortcut to fewer channels": f"{CONV}\nconvolutional filters=4 activation=linear\nshortcut from=0 activation=leaky",
    "shortcut to more channels": f"{CONV}\nconvolutional filters=9 activation=linear\nshortcut from=0",
    "shortcut to fewer pixels": f"{CONV}\nmaxpool size=2 stride=2\nshortcut from=0",
    "shortcut to more pixels": f"{CONV}\nupsample stride=2\nshortcut from=0",
    "shortcut with weights": f"{CONV}\n{CONV}\nshortcut from=0 weights_type=per_channel weights_normalization=softmax",
    "sam": f"{CONV}\n{CONV}\nsam from=0 activation=logistic",
    "gates": f"{CONV}\navgpool\nscale_channels from=0 activation=leaky",
    "gates of pixels": f"{CONV}\nconvolutional filters=1 activation=logistic\nscale_channels from=0 scale_wh=1",
    "shifts of channels": f"{CONV}\nimplicit_add filters=6\nroute layers=-2\nshift_channels from=1 activation=leaky",
    "normalization of an even size": f"{CONV}\nnormalization size=4 alpha=.1",
    "normalization wider than the map": f"{CONV}\nnormalization size=15 alpha=.1",
    "softmax with temperature": "softmax groups=3 temperature=.5",
    "batchnorm": "batchnorm",
    "implicit": f"implicit filters=4\n{CONV}\nconvolutional filters=4 activation=linear\nsam from=-1",
    "yolo with stretch": f"{BOXES}\nyolo classes=2 num=2 mask=0,1 anchors=1,2,3,4 scale_x_y=1.2",
    "yolo with new coordinates": (
        "convolutional filters=14 activation=logistic\nyolo classes=2 num=2 mask=0,1 anchors=1,2,3,4 scale_x_y=2 new_coords=1"
    ),
    "region": f"{BOXES}\nregion classes=2 num=2 anchors=1,2,3,4 softmax=1",
    "region with background": f"{BOXES}\nregion classes=2 num=2 anchors=1,2,3,4 softmax=1 background=1",
    "detection with softmax": "connected output=56 activation=linear\ndetection side=2 num=2 classes=4 coords=4 softmax=1",
}


def test_every_type_has_a_writer() -> None:
    """The table of layers and the table of writers name the same types."""
    assert set(LAYERS) == {kind.type for kind in LAYER_TYPES.values()}


def test_every_activation_has_a_writer() -> None:
    """The tables of activations name the same activations."""
    assert set(ACTIVATIONS) == set(activations.ACTIVATION_NAMES)


@pytest.mark.parametrize("case", CASES)
def test_the_layer_equals_the_reference(case: str, tmp_path: Path) -> None:
    """ONNX Runtime and the reference agree on two images at once."""
    net = network(CASES[case], height=12, width=12)

    assert difference(net, tmp_path) < TOLERANCE


@pytest.mark.parametrize("options", ["softmax=1 background=1", "coords=5 softmax=1", "coords=5", "background=1"])
def test_region_obeys_its_options_under_pjreddie(options: str, tmp_path: Path) -> None:
    """Options that the profile decides are exported accordingly."""
    net = network(
        f"convolutional filters={16 if 'coords' in options else 14} activation=linear\n"
        f"region classes=2 num=2 anchors=1,2,3,4 {options}",
        profile=PJREDDIE,
    )

    assert difference(net, tmp_path) < TOLERANCE


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_the_activation_equals_the_reference(activation: str, tmp_path: Path) -> None:
    """Inputs have both signs and exceed every breakpoint."""
    net = network(f"convolutional filters=16 activation=linear\nactivation activation={activation}", height=12, width=12)
    wide = [{name: 6 * array for name, array in weights.items()} for weights in net.weights]

    assert difference(net.with_weights(wide), tmp_path) < TOLERANCE


@pytest.mark.parametrize("section", ["softmax", "region classes=4 num=1 anchors=1,1 softmax=1"])
def test_siblings_of_a_tree_compete(section: str, tmp_path: Path) -> None:
    """The tree is a layer of its own, or part of the head of YOLO9000."""
    tree = tmp_path / "t.tree"
    tree.write_text("animal -1\nthing -1\ncat 0\ndog 0\n")
    net = network(f"{section} tree={tree}", channels=9 if "region" in section else 4, height=1, width=1)

    assert difference(net, tmp_path) < TOLERANCE


def test_another_profile_has_its_own_epsilon(tmp_path: Path) -> None:
    """Small variances make the epsilon visible."""
    net = network("convolutional filters=4 batch_normalize=1 activation=linear", profile=PJREDDIE)
    small = [{name: array * 1e-6 if name == "rolling_variance" else array for name, array in own.items()} for own in net.weights]

    assert difference(net.with_weights(small), tmp_path) < TOLERANCE


def test_a_mean_over_nothing_is_refused(tmp_path: Path) -> None:
    """Darknet divides zero by zero there; the message names the layer."""
    net = network("convolutional filters=2 activation=linear\nlocal_avgpool size=2 stride=1 padding=8")

    with pytest.raises(ConversionError, match=r"^layer 1 \[local_avgpool\]: "):
        export_onnx(net, tmp_path / "x.onnx")
