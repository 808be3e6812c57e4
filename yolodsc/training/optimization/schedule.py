"""The learning rate of each step."""

import math
from dataclasses import dataclass

from yolodsc.errors import OptionError

SCHEDULES = ("cosine", "steps")
FINAL_RATE = 0.01
"""Last rate of the cosine, as a fraction of the highest rate."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A warm-up, then decay.

    Attributes
    ----------
    policy
        ``cosine`` decays to a hundredth of the rate. ``steps`` divides the rate by 10 after 80 % and 90 % of the steps, as in
        Darknet's cfg files for VOC.
    rate
        The highest learning rate.
    steps
        Number of steps of the training.
    warmup
        Number of steps with a linear increase.
    """

    policy: str
    rate: float
    steps: int
    warmup: int

    def __post_init__(self) -> None:
        if self.policy not in SCHEDULES:
            raise OptionError(f"schedule={self.policy}: expected one of {', '.join(SCHEDULES)}", parameter="schedule")

    def at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        if self.policy == "steps":
            return self.rate * rise * 0.1 ** sum(step >= share * self.steps for share in (0.8, 0.9))
        share = 0.5 * (1 + math.cos(math.pi * step / max(self.steps, 1)))
        return self.rate * rise * (FINAL_RATE + (1 - FINAL_RATE) * share)
