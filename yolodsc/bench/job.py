"""The task of a worker process, as JSON on its command line."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np

from yolodsc.arrays import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One engine on one network.

    Attributes
    ----------
    cfg, weights, onnx
        Paths of the network, for Darknet's readers and for the others. Batch norm is folded in ``onnx``.
    quantization, onnx_int8
        Paths of its quantization and of the network with 8-bit weights in ONNX.
    image
        Path of a ``.npy`` with the input, (C, H, W) float32.
    calibration
        Path of a ``.npy`` with images (N, C, H, W), for engines that quantize the network themselves.
    kept
        Folder of the networks that engines quantize themselves; their names begin with the digest of what they are made from.
    outputs
        Indices of the layers whose feature maps are returned: the inputs of heads, so that no engine is timed decoding boxes.
    streams
        Number of independent images that run at the same time; ``threads`` is the number for each.
    """

    engine: str
    cfg: str
    weights: str
    onnx: str
    quantization: str
    onnx_int8: str
    image: str
    calibration: str
    kept: str
    outputs: tuple[int, ...]
    threads: int = 1
    streams: int = 1

    def to_json(self) -> str:
        """One line, which `from_json` reads."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The job that `to_json` has written."""
        fields = json.loads(text)
        return cls(**{**fields, "outputs": tuple(fields["outputs"])})

    def input(self) -> Array:
        """The image (C, H, W)."""
        return np.load(self.image)

    def calibration_images(self) -> Array:
        """The images (N, C, H, W)."""
        return np.load(self.calibration)

    def made(self, name: str, make: Callable[[Path], None]) -> Path:
        """A file that the first job that needs it makes, for all jobs of the same network and images."""
        digest = blake2b(digest_size=8)
        for source in (self.onnx, self.calibration):
            digest.update(Path(source).read_bytes())
        path = Path(self.kept) / f"{digest.hexdigest()}-{name}"
        if not path.exists():
            with TemporaryDirectory(dir=self.kept) as folder:
                new = Path(folder) / path.name
                make(new)
                for file in sorted(Path(folder).iterdir(), key=lambda file: file == new):  # the file itself last: all is there
                    file.replace(path.with_name(file.name))
        return path

    def beside(self, ending: str) -> Path:
        """A file of this job alone, next to the image."""
        return Path(self.image).with_name(f"{self.engine}-{self.threads}-{self.streams}{ending}")
