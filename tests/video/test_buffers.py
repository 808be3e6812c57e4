"""Buffers of frames: used again when free, and never while somebody has them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.video.support import detector, read_clip, write_clip
from yolodsc.detection.video.buffers import FrameBuffers
from yolodsc.detection.video.run import detect_frames
from yolodsc.detection.video.stream import open_source

SHAPE = (4, 6, 3)


def test_a_buffer_is_used_again_when_nobody_has_it() -> None:
    """Frames that are dropped cost no new memory."""
    buffers = FrameBuffers()
    first = buffers.take(SHAPE)
    address = first.ctypes.data
    del first

    assert buffers.take(SHAPE).ctypes.data == address


@pytest.mark.parametrize("hold", [lambda a: a, lambda a: a[1:, ::-1], memoryview, lambda a: a.reshape(-1).view(np.int8)])
def test_a_buffer_that_something_refers_to_is_not_used_again(hold: object) -> None:
    """The array itself, views of it and other objects that share its memory."""
    buffers = FrameBuffers()
    first = buffers.take(SHAPE)
    address = first.ctypes.data
    held = hold(first)  # type: ignore[operator]
    del first

    assert buffers.take(SHAPE).ctypes.data != address
    del held
    assert buffers.take(SHAPE).ctypes.data == address


def test_many_frames_that_a_caller_keeps_have_memory_of_their_own() -> None:
    """Beyond the buffers that are kept, and after a change of the size."""
    buffers = FrameBuffers()
    taken = [buffers.take(SHAPE) for _ in range(40)]

    assert len({array.ctypes.data for array in taken}) == 40
    assert buffers.take((8, 8, 3)).shape == (8, 8, 3)


def test_frames_that_a_caller_keeps_do_not_change(tmp_path: Path) -> None:
    """Every third frame is kept, the others are dropped."""
    clip = write_clip(tmp_path / "a.mp4", 40)
    expected = [frame[..., ::-1] for frame in read_clip(clip)]

    with detector(streams=2) as detect:
        kept = {found.frame or 0: image for image, found in detect.stream(clip) if (found.frame or 0) % 3 == 0}

    assert sorted(kept) == list(range(3, 41, 3))
    for number, image in kept.items():
        assert np.array_equal(image, expected[number - 1])


def test_frames_are_converted_when_they_are_used(tmp_path: Path) -> None:
    """Without ``images`` the detections are the same, and the conversion comes with the first use of a frame."""
    clip = write_clip(tmp_path / "a.mp4", 6)
    with detector() as detect:
        expected = list(detect.stream(clip))
        results = list(detect_frames(detect.pipeline, open_source(detect.pipeline, clip, report=print), images=False))

    assert [result.frame.decoded[1] for result in results] == [True] * 6
    for result, (image, found) in zip(results, expected, strict=True):
        assert np.array_equal(result.detections.boxes_xyxy, found.boxes_xyxy)
        assert np.array_equal(cv2.cvtColor(result.frame.decoded[0], cv2.COLOR_BGR2RGB), image)
        assert np.array_equal(result.frame.image, image)
        assert result.frame.decoded == (result.frame.image, False)
