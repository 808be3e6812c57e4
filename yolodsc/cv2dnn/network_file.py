"""Darknet files as OpenCV reads them: paths or buffers, with its defaults for missing options."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.darknet import Section, parse_cfg, profile_named, read_cfg
from yolodsc.errors import OptionError
from yolodsc.network import Network

Content = str | PathLike[str] | bytes | bytearray | memoryview | NDArray[np.uint8] | Sequence[int]
"""A path, or the bytes of a file."""

DEFAULTS: dict[str, dict[str, str | int]] = {
    "convolutional": {"activation": "linear"},
    "connected": {"activation": "linear"},
    "maxpool": {"size": 2, "stride": 2},
    "reorg": {"stride": 2},
    "upsample": {"stride": 1},
}
"""What OpenCV assumes for options that a section does not give, where Darknet assumes something else."""


def read_darknet(cfg: Content, weights: Content | None) -> Network:
    """Read a pair under the profile ``opencv``; without weights the network has initial ones.

    Raises
    ------
    CfgError, WeightsError
        A file cannot be used.
    """
    text = _bytes(cfg)
    parsed = parse_cfg(text.decode("utf-8", errors="surrogateescape")) if text is not None else read_cfg(fspath(cfg))  # type: ignore[arg-type]
    completed = replace(parsed, sections=tuple(map(_completed, parsed.sections)))
    if weights is None or (isinstance(weights, str) and not weights):
        return Network.build(completed, profile=profile_named("opencv"))
    content = _bytes(weights)
    if content is None:
        return Network.load(completed, fspath(weights), profile="opencv")  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "buffer.weights"
        path.write_bytes(content)
        return Network.load(completed, path, profile="opencv")


def is_cfg(name: str) -> bool:
    """Whether a file of `readNet` is a cfg."""
    return name.lower().endswith(".cfg")


def ordered(model: str, config: str) -> tuple[str, str]:
    """The cfg and the weights of `readNet`, which takes them in either order.

    Raises
    ------
    OptionError
        Neither file is a ``.cfg`` file.
    """
    if is_cfg(model):
        return model, config
    if is_cfg(config):
        return config, model
    raise OptionError(f"model={model}: no Darknet network; expected a .weights and a .cfg file", parameter="model")


def _bytes(content: Any) -> bytes | None:
    """The bytes of a buffer; None for a path."""
    if isinstance(content, str | PathLike):
        return None
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content)
    return np.asarray(content).astype(np.uint8).tobytes()


def _completed(section: Section) -> Section:
    """A section with OpenCV's defaults."""
    missing = {key: value for key, value in DEFAULTS.get(section.type, {}).items() if not section.has(key)}
    return section.replaced(**missing) if missing else section
