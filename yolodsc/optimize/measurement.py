"""Candidates of the search, and what was measured of each."""

from typing import Annotated, Literal

from msgspec import Meta

from yolodsc.schemas import Index, Share
from yolodsc.values import Value

ORIGINAL = "original"
"""Form of the network as it was given."""

SMALLER, BF16, INT8, DECOMPOSED, COMBINED = (
    "original at smaller inputs",
    "bf16 alone",
    "int8 alone",
    "decomposed alone",
    "smaller input and lower precision",
)
BASELINES = (SMALLER, BF16, INT8, DECOMPOSED, COMBINED)
"""Names of the baselines; the last combines two of the others, without decomposition."""

Milliseconds = Annotated[float, Meta(gt=0, le=1e9)]
Pixels = Annotated[int, Meta(ge=1, le=2**16)]
PrecisionKind = Literal["f32", "bf16", "mixed", "int8"]
"""``mixed``: int8, and bf16 in the layers that int8 hurts most."""

KINDS: tuple[PrecisionKind, ...] = ("f32", "bf16", "mixed", "int8")


class Candidate(Value):
    """A network in one precision.

    Attributes
    ----------
    width, height
        Of its input.
    form
        `ORIGINAL`; or precision and share of the time for which it was decomposed, such as ``int8-0.600``, with ``-trained`` if
        it was fine-tuned.
    """

    width: Pixels
    height: Pixels
    form: Annotated[str, Meta(pattern=r"^(original|(f32|bf16|int8)-\d\.\d{3})(-trained)?$")]
    precision: PrecisionKind

    def __str__(self) -> str:
        return f"{self.width}x{self.height} {self.form} {self.precision}"

    @property
    def trained(self) -> bool:
        """Whether the network was fine-tuned."""
        return self.form.endswith("-trained")

    @property
    def stem(self) -> str:
        """Stem of the files of the network in float32."""
        return f"{self.width}x{self.height}-{self.form}"


class Measurement(Value, kw_only=True):
    """What was measured of a candidate.

    Attributes
    ----------
    milliseconds
        Of one image, as long as the original takes the milliseconds of its own measurement in float32.
    agreement
        F1 of its detections on held-back images against those of the original.
    mean_ap
        0..1, where there are labelled images.
    multiply_adds
        Of one image.
    """

    candidate: Candidate
    milliseconds: Milliseconds
    agreement: Share
    mean_ap: Share | None = None
    multiply_adds: Index

    @property
    def quality(self) -> float:
        """The mean AP, or without labels the agreement."""
        return self.agreement if self.mean_ap is None else self.mean_ap


def pareto_front(measurements: list[Measurement]) -> list[Measurement]:
    """The Pareto front in ascending order of time: each is better than all that are as fast or faster."""
    found: list[Measurement] = []
    for m in sorted(measurements, key=lambda m: (m.milliseconds, -m.quality)):
        if not found or m.quality > found[-1].quality:
            found.append(m)
    return found


def best_within(measurements: list[Measurement], milliseconds: float) -> Measurement | None:
    """The best of those that take at most a time."""
    allowed = [m for m in measurements if m.milliseconds <= milliseconds]
    return max(allowed, key=lambda m: (m.quality, -m.milliseconds), default=None)


def fastest_of(measurements: list[Measurement], quality: float) -> Measurement | None:
    """The fastest of those that have at least a quality."""
    allowed = [m for m in measurements if m.quality >= quality]
    return min(allowed, key=lambda m: m.milliseconds, default=None)


def baseline_of(m: Measurement, original: Measurement) -> str:
    """The baseline that a measurement belongs to; empty for results of the search."""
    c, o = m.candidate, original.candidate
    full = (c.width, c.height) == (o.width, o.height)
    if c.form == ORIGINAL:
        if c.precision == "f32":
            return SMALLER
        return COMBINED if not full else BF16 if c.precision == "bf16" else INT8
    alone = full and c.precision == "f32" and c.form.startswith("f32") and not c.trained
    return DECOMPOSED if alone else ""
