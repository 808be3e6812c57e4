"""Results of a chunk as arrays, and back."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.cli.support import STEM
from tests.distributed.support import write_images
from yolodsc.detection import Detector, ImageResult
from yolodsc.distributed.chunks import chunked
from yolodsc.distributed.package import DetectorPackage
from yolodsc.distributed.watch import FIRST_LIMIT, LOWEST_LIMIT, Watch
from yolodsc.distributed.wire import pack, unpack
from yolodsc.errors import OptionError
from yolodsc.evaluation.inference import _image_detections


@pytest.fixture(scope="module")
def detector() -> Detector:
    """The small network with a threshold at which there are many boxes."""
    return Detector.from_files(f"{STEM}.cfg", f"{STEM}.weights", thresh=0.05, streams=1)


def ensure_equal(found: ImageResult, expected: ImageResult) -> None:
    """See that two results have the same bits, errors and order of Darknet's array."""
    assert found.path == expected.path
    assert str(found.error) == str(expected.error)
    if expected.detections is None:
        assert found.detections is None
        return
    assert found.detections is not None
    for name in ("boxes_xyxy", "scores", "objectness", "class_ids"):
        a, b = getattr(found.detections, name), getattr(expected.detections, name)
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)
    for name in ("width", "height", "path", "names"):
        assert getattr(found.detections, name) == getattr(expected.detections, name)
    journal, other = (_image_detections("x", result, 0.0) for result in (found, expected))
    assert (journal.class_ids, journal.scores, journal.boxes) == (other.class_ids, other.scores, other.boxes)


def test_results_are_the_same_after_the_way(detector: Detector, tmp_path: Path) -> None:
    """Boxes, scores, classes, errors and the order that scoring depends on; images only if they are asked for."""
    paths = [*write_images(tmp_path, 5), str(tmp_path / "missing.png")]
    expected = list(detector.many(paths))
    assert sum(len(result.detections or ()) for result in expected) > 20

    for images in (False, True):
        packed = pickle.loads(pickle.dumps(pack(expected, images=images)))
        found = list(unpack(packed, paths, detector.names))

        assert len(found) == len(paths)
        for one, other in zip(found, expected, strict=True):
            ensure_equal(one, other)
            assert (one.image is not None) == (images and other.image is not None)


def test_a_chunk_without_detections_survives(detector: Detector, tmp_path: Path) -> None:
    """No boxes at all, and only errors."""
    paths = [*write_images(tmp_path, 1), str(tmp_path / "missing.png")]
    for chosen in (paths, paths[1:]):
        results = list(detector.many(chosen, thresh=1.0))

        for one, other in zip(unpack(pack(results), chosen, detector.names), results, strict=True):
            ensure_equal(one, other)


def test_a_package_builds_the_same_detector(detector: Detector, tmp_path: Path) -> None:
    """The same bits come out, and the same content has the same digest."""
    paths = write_images(tmp_path, 3)
    package = DetectorPackage.of(detector)

    with package.build(1) as copy:
        for one, other in zip(copy.many(paths), detector.many(paths), strict=True):
            ensure_equal(one, other)
    assert DetectorPackage.of(detector).digest == package.digest


def test_other_thresholds_have_another_digest(detector: Detector) -> None:
    """The digest covers the options."""
    other = Detector.from_files(f"{STEM}.cfg", f"{STEM}.weights", thresh=0.3)

    assert DetectorPackage.of(other).digest != DetectorPackage.of(detector).digest


def test_chunks_are_consecutive_and_lazy() -> None:
    """An endless iterator gives chunks as they are asked for."""
    endless = (f"{n}.png" for n in iter(int, 1))

    first = next(chunked(endless, 3))
    chunks = list(chunked(["a", Path("b"), "c"], 2))

    assert first.paths == ("0.png",) * 3
    assert [(chunk.number, chunk.paths) for chunk in chunks] == [(0, ("a", "b")), (1, ("c",))]


@pytest.mark.parametrize(("paths", "size", "message"), [("a.png", 2, "one path"), ([b"x"], 2, "bytes"), (["a"], 0, "chunk=0")])
def test_what_is_no_list_of_paths_is_refused(paths: object, size: int, message: str) -> None:
    """A single path, bytes, and a chunk of nothing."""
    with pytest.raises(OptionError, match=message):
        list(chunked(paths, size))  # type: ignore[arg-type]


def test_a_worker_hangs_after_a_multiple_of_the_measured_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first chunk may take long, because kernels are compiled; time in which this process stood still does not count."""
    now = [0.0]
    monkeypatch.setattr("yolodsc.distributed.watch.monotonic", lambda: now[0])
    watch = Watch()

    def look(seconds: float) -> list[str]:
        found: list[str] = []
        for _ in range(int(seconds)):
            now[0] += 1.0
            found += watch.hanging({"a": ["1"], "idle": []})
        return found

    assert look(FIRST_LIMIT) == []
    watch.finished("a", 0.5)
    assert look(LOWEST_LIMIT) == []
    assert look(3) == ["a"]
    watch.finished("a", 10.0)
    assert look(LOWEST_LIMIT * 2) == []
    now[0] += 1000
    assert watch.hanging({"a": ["1"]}) == {}
    assert look(200) == ["a"]
