"""The learning rate by step."""

import math
from dataclasses import dataclass

from yolodsc.errors import OptionError

SCHEDULES = ("cosine", "steps")
LAST = 0.01
"""Where the cosine ends, as a share of the highest rate."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Warm-up, then a fall.

    Attributes
    ----------
    policy
        ``cosine`` falls to a hundredth of the rate; ``steps`` to a tenth at 80 % and again at 90 % of the way, where Darknet's cfg
        files for VOC have them.
    rate
        The highest learning rate.
    steps
        Of the whole training.
    warmup
        Steps of a linear rise.
    """

    policy: str
    rate: float
    steps: int
    warmup: int

    def __post_init__(self) -> None:
        if self.policy not in SCHEDULES:
            raise OptionError(f"--schedule {self.policy}: unknown; wanted one of {', '.join(SCHEDULES)}")

    def at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        if self.policy == "steps":
            return self.rate * rise * 0.1 ** sum(step >= share * self.steps for share in (0.8, 0.9))
        share = 0.5 * (1 + math.cos(math.pi * step / max(self.steps, 1)))
        return self.rate * rise * (LAST + (1 - LAST) * share)
