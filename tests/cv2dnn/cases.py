"""Small networks: one for each claim that OpenCV's own tests of its Darknet importer make about single layers, and more."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from yolodsc.arrays import Array
from yolodsc.darknet.cfg import parse_cfg
from yolodsc.darknet.profile import OPENCV
from yolodsc.network.network import Network

CONVOLUTION = "convolutional filters={} size=1 activation=linear"
YOLO = "yolo mask=0,2 anchors=3,4,5,6,9,7 num=3 classes=2"

LAYERS = {
    "shortcut": ["convolutional filters=4 size=3 pad=1 activation=linear", "shortcut from=-1 activation=linear"],
    "shortcut_leaky": [CONVOLUTION.format(4), CONVOLUTION.format(4), "shortcut from=-2 activation=leaky"],
    "shortcut_unequal": [CONVOLUTION.format(6), CONVOLUTION.format(4), "shortcut from=-2 activation=linear"],
    "shortcut_unequal_2": [CONVOLUTION.format(4), CONVOLUTION.format(6), "shortcut from=-2 activation=linear"],
    "upsample": ["upsample stride=2"],
    "mish": ["convolutional filters=5 size=3 pad=1 activation=mish"],
    "tanh": ["convolutional filters=5 size=1 activation=tanh"],
    "avgpool_softmax": ["convolutional filters=5 size=1 activation=linear", "avgpool", "softmax"],
    "crop": ["crop crop_height=6 crop_width=4"],
    "region": [CONVOLUTION.format(14), "region anchors=1,2,3,1.5 num=2 classes=2 softmax=1 thresh=0.01"],
    "reorg": ["reorg stride=2"],
    "route": [CONVOLUTION.format(4), "route layers=-1"],
    "route_multi": [CONVOLUTION.format(4), CONVOLUTION.format(4), "route layers=-2,-1 groups=2 group_id=1"],
    "maxpool": ["maxpool size=2 stride=2"],
    "convolutional": ["convolutional filters=6 size=3 stride=2 pad=1 batch_normalize=1 activation=leaky"],
    "scale_channels": [CONVOLUTION.format(4), "avgpool", "scale_channels from=-2 activation=linear"],
    "connected": ["connected output=6 activation=linear"],
    "relu": ["convolutional filters=4 size=1 activation=relu"],
    "sam": [CONVOLUTION.format(4), "convolutional filters=4 size=1 activation=logistic", "sam from=-2 activation=linear"],
}
"""By the names of the tests in OpenCV (``test_darknet_importer.cpp``); weights and inputs are random."""

MORE = {
    "grouped": ["convolutional filters=8 size=3 pad=1 groups=2 batch_normalize=1 activation=swish"],
    "pools": ["maxpool size=2 stride=1", "maxpool size=5 stride=1", "maxpool"],
    "defaults": ["convolutional filters=3 size=3 pad=1", "upsample", "reorg stride=1"],
    "concatenation": [CONVOLUTION.format(4), CONVOLUTION.format(3), "route layers=-1,-2", "dropout", CONVOLUTION.format(2)],
    "half": [CONVOLUTION.format(4), "route layers=-1 groups=2 group_id=1", CONVOLUTION.format(3)],
    "yolo": [CONVOLUTION.format(14), f"{YOLO} scale_x_y=1.2 thresh=0.1"],
    "yolo_default": [CONVOLUTION.format(14), YOLO],
    "yolo_nms": [CONVOLUTION.format(14), f"{YOLO} thresh=0.05 nms_threshold=0.3"],
    "yolo_new": ["convolutional filters=14 size=1 activation=logistic", f"{YOLO} new_coords=1 scale_x_y=2"],
    "classifier": [
        "convolutional filters=5 size=3 activation=relu",
        "avgpool",
        "connected output=4 activation=relu",
        "softmax",
        "cost",
    ],
    "two_heads": [
        CONVOLUTION.format(14),
        YOLO,
        "route layers=0",
        "convolutional filters=14 size=3 stride=2 pad=1 activation=linear",
        YOLO,
    ],
}
"""Further layers and options."""

CASES = LAYERS | MORE


def written(name: str, folder: Path, *, channels: int = 4, height: int = 8, width: int = 12) -> tuple[str, str]:
    """The files of a case with random weights."""
    text = f"[net]\nchannels={channels}\nheight={height}\nwidth={width}\n"
    for line in CASES[name]:
        kind, *options = line.split()
        text += "\n".join([f"[{kind}]", *options, ""])
    network = Network.build(parse_cfg(text), profile=OPENCV)
    rng = np.random.default_rng(len(text))
    weights = [{key: _random(rng, key, array) for key, array in own.items()} for own in network.weights]
    cfg, path = folder / f"{name}.cfg", folder / f"{name}.weights"
    network.with_weights(weights).save(folder / "unused.cfg", path)
    cfg.write_text(text)
    return str(cfg), str(path)


def blob(*shape: int, seed: int = 1) -> Array:
    """Random numbers of both signs."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def require_opencv_4() -> None:
    """Skip where the installed OpenCV does not read Darknet networks."""
    if not hasattr(cv2.dnn, "readNetFromDarknet"):
        pytest.skip(f"needs OpenCV 4 to compare with; OpenCV {cv2.__version__} does not read Darknet networks")


def _random(rng: np.random.Generator, name: str, array: Array) -> Array:
    if name == "rolling_variance":
        return rng.uniform(0.3, 2, array.shape).astype(np.float32)
    scale = 1.0 if array.ndim < 2 else array[0].size ** -0.5
    return (scale * rng.standard_normal(array.shape)).astype(np.float32)
