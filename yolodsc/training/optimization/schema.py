"""What ``checkpoint.npz`` says of a training besides its arrays."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from yolodsc.errors import OptionError
from yolodsc.schemas import Finite, Index, Place, Positive, Share, Text, checked


class Epoch(Struct, frozen=True, kw_only=True):
    """One entry of ``epochs``: means of the loss and its parts, and what was measured."""

    epoch: Positive
    step: Positive
    total: Finite
    rate: Positive
    seconds: Positive
    pictures_per_second: Positive
    heads: Finite = 0.0
    features: Finite = 0.0
    labels: Finite = 0.0
    map: Share = 0.0


class History(Struct, frozen=True, kw_only=True):
    """Epochs that are over, and the sums of the one that is not."""

    epochs: list[Epoch]
    open: dict[Annotated[str, Meta(max_length=64)], Finite]


class About(Struct, frozen=True, kw_only=True):
    """The text ``about``."""

    digest: Text
    step: Index
    layers: Annotated[int, Meta(ge=0, le=2**20)]
    history: History


def check_checkpoint_info(content: Any, *, file: Place) -> About:
    """The description of a checkpoint, checked."""
    return checked(content, About, file=file, error=OptionError)
