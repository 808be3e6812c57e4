"""Tiny detectors, and images of coloured boxes with their label files."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.networks import network
from yolodsc.network.network import Network

STUDENT = """
convolutional filters=6 size=3 stride=2 pad=1 activation=leaky batch_normalize=1
convolutional filters=6 size=3 pad=1 groups=6 activation=linear
convolutional filters=8 activation=leaky
maxpool size=2 stride=2
convolutional filters=8 activation=linear
convolutional filters=8 size=3 pad=1 groups=8 activation=linear
convolutional filters=10 activation=leaky
"""
TEACHER = """
convolutional filters=6 size=3 stride=2 pad=1 activation=leaky batch_normalize=1
convolutional filters=8 size=3 pad=1 activation=leaky
maxpool size=2 stride=2
convolutional filters=10 size=3 pad=1 activation=leaky
"""
YOLO = """
convolutional filters=14 activation=linear
yolo classes=2 num=4 mask=1,2 anchors=4,4,8,8,16,12,24,30 ignore_thresh=.6 scale_x_y=1.1
"""
REGION = """
convolutional filters=14 activation=linear
region classes=2 num=2 coords=4 softmax=1 bias_match=1 anchors=1,1,3,2 object_scale=5 noobject_scale=1 class_scale=1 coord_scale=1
"""


def student(head: str = YOLO) -> Network:
    """A separable detector of two classes for images of 32 x 32."""
    return network(STUDENT + head.lstrip(), height=32, width=32)


def teacher(head: str = YOLO) -> Network:
    """A regular detector with hint layers of the same shapes."""
    return network(TEACHER + head.lstrip(), height=32, width=32)


def write_images(folder: Path, count: int) -> list[str]:
    """Images with one red or blue box each, and labels beside them."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    random = np.random.default_rng(5)
    paths = []
    for number in range(count):
        pixels = random.integers(90, 130, (40, 48, 3)).astype(np.uint8)
        kind = number % 2
        x, y = random.integers(2, 20, 2)
        w, h = random.integers(10, 18, 2)
        pixels[y : y + h, x : x + w] = [(220, 30, 30), (30, 30, 220)][kind]
        path = folder / "images" / f"{number}.png"
        Image.fromarray(pixels).save(path)
        label = f"{kind} {(x + w / 2) / 48} {(y + h / 2) / 40} {w / 48} {h / 40}\n"
        (folder / "labels" / f"{number}.txt").write_text(label)
        paths.append(str(path))
    return paths
