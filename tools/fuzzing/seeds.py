"""Writes the seeds that are not text: ``python -m tools.fuzzing.seeds``."""

import io
import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from tools.fuzzing import training_files
from tools.fuzzing.heads import HEAD, HEADS
from tools.fuzzing.target import CORPUS
from yolodsc.convert.formats import ModelFile, write_model
from yolodsc.darknet.cfg import parse_cfg
from yolodsc.network.network import Network

TINY = "[net]\nheight=4\nwidth=5\nchannels=3\n[convolutional]\nfilters=2\nsize=3\nbatch_normalize=1\n[connected]\noutput=3\n"
WEIGHTS = 2 * 4 + 2 * 27 + 3 + 3 * 12 + 2 * 3
"""Numbers of the network of `network_files`."""


def main() -> None:
    """All of them."""
    rng = np.random.default_rng(0)
    _weights(rng)
    _archives()
    _images(rng)
    for number in range(len(HEADS)):
        numbers = rng.normal(0, 3, 40).astype("<f4").tobytes()
        _put("heads", f"head-{number}", HEAD.pack(number, 20, 110, number, 100, 80) + numbers)


def _put(target: str, name: str, data: bytes) -> None:
    path = CORPUS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _weights(rng: np.random.Generator) -> None:
    body = rng.uniform(0.1, 1, WEIGHTS).astype("<f4").tobytes()
    _put("weights", "seen-of-8-bytes", struct.pack("<iiiQ", 0, 2, 5, 32) + body)
    _put("weights", "seen-of-4-bytes", struct.pack("<iiiI", 0, 1, 0, 32) + body)
    _put("weights", "old-and-transposed", struct.pack("<iiiI", 0, 1001, 0, 32) + body)
    _put("weights", "cut-off", struct.pack("<iiiQ", 0, 2, 5, 32) + body[:101])
    _put("weights", "all-nan", struct.pack("<iiiQ", 0, 2, 5, 32) + np.full(WEIGHTS, np.nan, "<f4").tobytes())
    _put("weights", "empty", b"")


def _archives() -> None:
    network = Network.build(parse_cfg(TINY))
    for ending in ("npz", "safetensors"):
        path = CORPUS / ending / f"tiny.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_model(ModelFile(network, TINY), path)
        _put(ending, "empty", b"")
        _put(ending, "cut-off", path.read_bytes()[:-100])
    _put("checkpoint", "small.npz", training_files.seed())
    _put("checkpoint", "empty", b"")
    for name, about in (
        ("no-object", [1]),
        ("no-digest", {"step": 1}),
        ("layers-not-a-number", {"digest": "fuzz", "step": 1, "layers": "x"}),
    ):
        _put("checkpoint", name, _zip(about=np.array(json.dumps(about))))
    wide = {"digest": "fuzz", "step": 1, "layers": 10**12, "history": {}}
    _put("checkpoint", "layers-without-end", _zip(about=np.array(json.dumps(wide))))
    two = {"digest": "fuzz", "step": 1, "layers": 1, "history": {}}
    _put("checkpoint", "weights-of-layer-7", _zip(about=np.array(json.dumps(two)), **{"weights/7/biases": np.zeros(1)}))
    _put("checkpoint", "weights-without-layer", _zip(about=np.array(json.dumps(two)), **{"weights/biases": np.zeros(1)}))


def _image(form: str, name: str, image: Image.Image, **options: object) -> None:
    buffer = io.BytesIO()
    image.save(buffer, format=form, **options)
    _put(form, f"{name}.{'jpg' if form == 'jpeg' else form}", buffer.getvalue())


def _zip(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _images(rng: np.random.Generator) -> None:
    rgb = Image.fromarray(rng.integers(0, 256, (9, 11, 3), dtype=np.uint8))
    grey, palette, alpha = rgb.convert("L"), rgb.quantize(8), rgb.convert("RGBA")
    deep = Image.fromarray(rng.integers(0, 65536, (5, 6), dtype=np.uint16))
    real = Image.fromarray(rng.random((5, 6), dtype=np.float32))
    wide = Image.fromarray(rng.integers(0, 256, (1, 300, 3), dtype=np.uint8))
    tall = wide.rotate(90, expand=True)
    images = {
        "png": {"rgb": rgb, "grey": grey, "palette": palette, "alpha": alpha, "deep": deep, "row": wide},
        "bmp": {"rgb": rgb, "palette": palette},
        "gif": {"palette": palette},
        "webp": {"lossy": rgb},
        "tiff": {"rgb": rgb, "real": real},
        "ppm": {"rgb": rgb, "grey": grey, "deep": deep},
        "jpeg": {"grey": grey},
    }
    for form, named in images.items():
        for name, image in named.items():
            _image(form, name, image)
    _image("webp", "lossless", alpha, lossless=True)
    _image("tiff", "packed", deep, compression="tiff_lzw")
    _image("jpeg", "baseline", rgb, quality=80)
    _image("jpeg", "progressive", rgb, progressive=True)
    _image("jpeg", "full", rgb, subsampling=0)
    _image("jpeg", "restarts", wide, restart_marker_blocks=1)
    _image("jpeg", "narrow", tall, subsampling=1)
    baseline = (CORPUS / "jpeg" / "baseline.jpg").read_bytes()
    _put("jpeg", "cut-off", baseline[:-40])
    _put("jpeg", "huge-size", baseline.replace(struct.pack(">HH", 9, 11), struct.pack(">HH", 8192, 16384)))
    for folder in ("png", "bmp", "gif", "webp", "tiff", "ppm"):
        first = sorted(Path(CORPUS / folder).glob(f"*.{folder}"))[0].read_bytes()
        _put(folder, "cut-off", first[: len(first) // 2])
        _put(folder, "empty", b"")


if __name__ == "__main__":
    main()
