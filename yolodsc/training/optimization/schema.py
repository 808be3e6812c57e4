"""The description of a training in ``checkpoint.npz``."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from yolodsc.errors import OptionError
from yolodsc.schemas import FileName, Finite, Index, Positive, Share, Text, checked


class EpochEntry(Struct, frozen=True, kw_only=True):
    """One entry of ``epochs``: means of the loss and its parts, and measurements."""

    epoch: Positive
    step: Positive
    total: Finite
    rate: Positive
    seconds: Positive
    images_per_second: Positive = field(name="pictures_per_second")
    heads: Finite = 0.0
    features: Finite = 0.0
    labels: Finite = 0.0
    map: Share = 0.0


class HistoryState(Struct, frozen=True, kw_only=True):
    """Completed epochs, and the sums of the present one."""

    epochs: list[EpochEntry]
    open: dict[Annotated[str, Meta(max_length=64)], Finite]


class CheckpointInfo(Struct, frozen=True, kw_only=True):
    """The content of the entry ``about``."""

    digest: Text
    step: Index
    layers: Annotated[int, Meta(ge=0, le=2**20)]
    history: HistoryState


def check_checkpoint_info(content: Any, *, file: FileName) -> CheckpointInfo:
    """Return the validated description of a checkpoint."""
    return checked(content, CheckpointInfo, file=file, error=OptionError)
