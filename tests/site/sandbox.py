"""The files that the examples of the documentation name: small stand-ins for what a reader has."""

from pathlib import Path
from shutil import copyfile

import cv2
import numpy as np
from numpy.typing import NDArray

from yolodsc.bench.subject import random_network
from yolodsc.convert import ModelFile, write_model
from yolodsc.detection import resolve_model

NAMES = (
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep sofa train "
    "tvmonitor"
)
"""Classes of the bundled networks, which are those of every network here."""

CFG = """[net]
width=96
height=96
channels=3
{body}[convolutional]
filters=75
size=1
stride=1
pad=1
activation=linear
[yolo]
mask=0,1,2
anchors=10,14, 23,27, 37,58
classes=20
num=3
ignore_thresh=.7
truth_thresh=1
"""

CONVOLUTION = """[convolutional]
batch_normalize=1
filters={filters}
size=3
stride={stride}
pad=1
activation=leaky
"""

CLASSIFIER = CFG.partition("{body}")[0] + CONVOLUTION.format(filters=20, stride=2) + "[avgpool]\n[softmax]\n"

PHOTOGRAPHS = ("chelsea", "astronaut", "coffee")
"""Photographs of scikit-image that show a cat, a person and a cup."""

LABELS = {"chelsea": "7 0.43 0.47 0.86 0.94", "astronaut": "14 0.42 0.55 0.74 0.89", "coffee": "4 0.44 0.52 0.68 0.89"}

DATA = "classes=20\ntrain=data/train.txt\nvalid=data/valid.txt\nnames=data/obj.names\nbackup=backup/\n"

YAML = "path: voc\ntrain: images/train\nval: images/val\nnames: [{names}]\n"


def fill(folder: Path) -> None:
    """Write all files into a directory."""
    photographs = _photographs()
    _network(folder / "yolov4-tiny", CFG.format(body="".join(CONVOLUTION.format(filters=8 * n, stride=2) for n in (1, 2, 4, 4))))
    for suffix in (".cfg", ".weights"):
        file = resolve_model("dsc-fastest-voc")
        copy = folder / f"mine/mine{suffix}"
        copy.parent.mkdir(exist_ok=True)
        copyfile(file.cfg if suffix == ".cfg" else file.weights, copy)
    _network(folder / "darknet19", CLASSIFIER)
    for names in ("coco.names", "imagenet.names", "mine/mine.names", "data/obj.names"):
        _write(folder / names, "\n".join(NAMES.split()) + "\n")
    for name, pixels in photographs.items():
        for copy in (f"photos/{name}.jpg", f"data/obj/{name}.jpg", f"voc/images/train/{name}.jpg", f"voc/images/val/{name}.jpg"):
            (folder / copy).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / copy), pixels[..., ::-1])
        for copy in (f"data/obj/{name}.txt", f"voc/labels/train/{name}.txt", f"voc/labels/val/{name}.txt"):
            _write(folder / copy, LABELS[name] + "\n")
    cv2.imwrite(str(folder / "photo.jpg"), photographs["chelsea"][..., ::-1])
    paths = "".join(f"data/obj/{name}.jpg\n" for name in photographs)
    for names in ("data/train.txt", "data/valid.txt", "images.txt"):
        _write(folder / names, paths)
    _write(folder / "obj.data", DATA)
    _write(folder / "voc.yaml", YAML.format(names=", ".join(NAMES.split())))
    _clip(folder / "clip.mp4", photographs["chelsea"])


def _photographs() -> dict[str, NDArray[np.uint8]]:
    from skimage import data

    return {name: np.asarray(getattr(data, name)()) for name in PHOTOGRAPHS}


def _network(stem: Path, cfg: str) -> None:
    """A pair with random weights."""
    _write(stem.with_suffix(".cfg"), cfg)
    _, network = random_network(stem.with_suffix(".cfg"))
    write_model(ModelFile(network, cfg), stem.with_suffix(".cfg"))


def _clip(path: Path, pixels: NDArray[np.uint8]) -> None:
    """A video of 12 frames in which a photograph moves to the left."""
    height, width = 240, 320
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 12.5, (width, height))
    for number in range(12):
        frame = pixels[:height, 4 * number : 4 * number + width, ::-1]
        writer.write(np.ascontiguousarray(frame))
    writer.release()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
