"""Options of ``yolodsc finetune`` that follow from the student."""

import pytest

from tests.training.scenes import YOLO, student
from yolodsc.cli.training_options import AugmentationOptions


@pytest.mark.parametrize(("key", "expected"), [("", 0.2), ("jitter=.1", 0.1), ("jitter=.9", 0.45), ("jitter=0", 0.0)])
def test_jitter_is_that_of_the_students_cfg_unless_it_is_given(key: str, expected: float) -> None:
    """Without the key Darknet's default; no larger than what leaves something of an image."""
    network = student(YOLO.replace("scale_x_y=1.1", key))

    assert AugmentationOptions().augmentation(network).jitter == expected
    assert AugmentationOptions(jitter=0.3).augmentation(network).jitter == 0.3
