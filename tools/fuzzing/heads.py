"""Target: decoding, suppression and outputs, given numbers that no sane network puts out."""

import io
import json
import random
import struct
from functools import cache

import numpy as np

from tools.fuzzing import scratch
from tools.fuzzing.target import Bytewise, Target
from yolodsc.darknet.cfg import parse_cfg
from yolodsc.detection.detector import Detector
from yolodsc.detection.outputs.crops import CropWriter
from yolodsc.detection.outputs.csv_file import CsvWriter
from yolodsc.detection.outputs.json_file import JsonWriter
from yolodsc.detection.outputs.txt_files import TxtWriter
from yolodsc.images.image import Placement
from yolodsc.network.network import Network

_ANCHORS = "num=2 mask=0,1 anchors=10,14,23,27"
HEADS = (
    f"filters=16|yolo classes=3 {_ANCHORS} scale_x_y=1.05 nms_kind=greedynms",
    f"filters=16|yolo classes=3 {_ANCHORS} new_coords=1 nms_kind=diounms beta_nms=0.6",
    f"filters=24|Gaussian_yolo classes=3 {_ANCHORS} yolo_point=left_top",
    "filters=16|region classes=3 num=2 softmax=1 anchors=1,1.5,2,3",
    "filters=16|region classes=3 num=2 softmax=1 anchors=1,1.5,2,3 tree=fuzz.tree",
    "filters=16|region classes=3 num=2 background=1 anchors=1,1.5,2,3",
    "filters=13|detection side=2 num=2 classes=3 coords=4 sqrt=1 softmax=1",
)
"""The layer before and the head."""

HEAD = struct.Struct("<BBBBHH")
"""Number of the head, least score, greatest overlap, letterbox or not, width and height of the image; float32 numbers follow."""

NUMBERS = (
    0.0,
    -0.0,
    1.0,
    0.5,
    0.25,
    -1.0,
    88.0,
    89.0,
    1e30,
    -1e30,
    3.4e38,
    -3.4e38,
    1e-45,
    float("inf"),
    float("-inf"),
    float("nan"),
)


@cache
def detector(number: int) -> Detector:
    """A network that ends with a head; its layers are never run."""
    before, head = HEADS[number].split("|")
    kind, *options = head.split()
    side = 2 if kind == "detection" else 4
    lines = [
        "[net]",
        f"height={side}",
        f"width={side}",
        "channels=3",
        "[convolutional]",
        before,
        "size=1",
        f"[{kind}]",
        *options,
        "",
    ]
    scratch.file("fuzz.tree", "a -1\nb 0\nc 0\n")
    file = str(scratch.file("head.cfg", ""))
    return Detector(Network.build(parse_cfg("\n".join(lines), file=file)), ("cat", "a/b: c", "\u72d7"), isa="none")


def detections(data: bytes) -> None:
    """From a head's output to every kind of output file."""
    data = data.ljust(HEAD.size + 4, b"\0")
    number, thresh, nms, fitted, width, height = HEAD.unpack_from(data)
    own = detector(number % len(HEADS))
    own.thresh, own.nms_thresh = thresh / 255, nms / 255
    head = own.network.heads[0]
    numbers = np.frombuffer(data[HEAD.size :], "<f4", (len(data) - HEAD.size) // 4).astype(np.float32)
    output = np.resize(numbers, head.shape)
    placement = Placement((1.0, 0.75), (0.0, 0.125)) if fitted & 1 else Placement()
    size = {"width": width % 300 + 1, "height": height % 300 + 1}
    found = own.detections({head.index: output}, placement, path="a/fuzz.jpg", **size)
    compared = found.objectness if getattr(head, "tree", None) else found.scores  # Darknet thresholds a tree's objectness only
    if len(found) and not (compared > own.thresh).all():
        raise AssertionError(f"scores {compared} at threshold {own.thresh}")
    image = np.zeros((size["height"], size["width"], 3), np.uint8)
    found[:3].draw(image)
    json.dump(found.to_darknet(), io.StringIO())
    folder = scratch.folder("outputs")
    for writer in (
        CropWriter(folder),
        TxtWriter(folder, overwrite=True),
        JsonWriter(folder / "all.json"),
        CsvWriter(folder / "all.csv"),
    ):
        writer.add(found[:2], image)
        writer.close()


def mutated_numbers(data: bytes, rng: random.Random, bytewise: Bytewise) -> bytes:
    """Replace one number or many."""
    if len(data) < HEAD.size + 4 or rng.random() < 0.3:
        return bytewise(data)
    head = bytearray(data[: HEAD.size])
    if rng.random() < 0.3:
        head[rng.randrange(len(head))] = rng.randrange(256)
    numbers = np.frombuffer(data[HEAD.size :], "<f4", (len(data) - HEAD.size) // 4).copy()
    step = rng.choice((1, 2, 3, 5, 8, 16, len(numbers)))
    value = rng.choice(NUMBERS) if rng.random() < 0.6 else rng.gauss(0, 10)
    with np.errstate(over="ignore"):
        numbers[rng.randrange(len(numbers)) :: step] = value
    return bytes(head) + numbers.tobytes()


def prepare() -> None:
    """Every head once."""
    for number in range(len(HEADS)):
        detections(HEAD.pack(number, 60, 110, 0, 100, 80) + struct.pack("<4f", 0.9, 0.1, 3.0, -1.0))


TARGETS = (Target(name="heads", one=detections, mutate=mutated_numbers, prepare=prepare),)
