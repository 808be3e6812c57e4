"""Darknet's ``detector test -out`` file, the format of our detections in JSON too."""

from pathlib import Path
from typing import Any

from msgspec import Struct

from yolodsc.errors import DatasetError
from yolodsc.schemas import Finite, Text, checked


class Coordinates(Struct, frozen=True, kw_only=True):
    """Centre and size relative to the image."""

    center_x: Finite
    center_y: Finite
    width: Finite
    height: Finite


class Object(Struct, frozen=True, kw_only=True):
    """One detection."""

    name: Text
    relative_coordinates: Coordinates
    confidence: Finite


class DarknetFrame(Struct, frozen=True, kw_only=True):
    """One image."""

    filename: Text
    objects: list[Object] = []


def is_darknet(content: Any) -> bool:
    """Whether a parsed list of detections is of frames."""
    return isinstance(content, list) and any(isinstance(entry, dict) and "objects" in entry for entry in content)


def darknet_frames(content: Any, *, file: Path) -> list[DarknetFrame]:
    """The frames of a parsed file."""
    return checked(content, list[DarknetFrame], file=file, error=DatasetError)
