"""The last lines of a run over images: how many, what was found, how fast, and where it was written."""

from collections import Counter
from time import perf_counter

from yolodsc.cli.terminal import note
from yolodsc.detection import ImageResult

MAX_CLASSES = 6
"""Classes that are named; the others are counted together."""


class RunTotals:
    """Counts images and objects, and sums the times of the stages."""

    def __init__(self) -> None:
        self.images = self.failed = self._done = 0
        self._objects: Counter[str] = Counter()
        self._seconds = [0.0, 0.0, 0.0]
        self._start = perf_counter()

    def add(self, result: ImageResult) -> None:
        """Count one image."""
        self.images += 1
        if result.detections is None:
            self.failed += 1
            return
        self._done += 1
        self._objects.update(result.detections.class_names())
        stages = result.stages
        self._seconds = [total + s for total, s in zip(self._seconds, (stages.read, stages.network, stages.post), strict=True)]

    def add_clip(self, *, succeeded: bool) -> None:
        """Count a video, a camera or a stream, which reports what it found itself."""
        self.failed += not succeeded

    def kept(self, written: str) -> str:
        """What an interrupted run leaves."""
        images = f"{self.images} image{'' if self.images == 1 else 's'} done"
        return f"{images}; wrote {written}" if written else images

    def report(self, *, written: str) -> None:
        """Print a line about more than one image, and what was written."""
        if self.images > 1:
            note(self._line())
        if written:
            note(f"wrote {written}")

    def _line(self) -> str:
        failed = f" ({self.images - self._done} failed)" if self._done < self.images else ""
        rate = f"{self.images / max(perf_counter() - self._start, 1e-9):.1f} images/s"
        times = zip(("read", "network", "post"), self._seconds, strict=True)
        stages = ", ".join(f"{name} {1000 * seconds / max(self._done, 1):.1f}" for name, seconds in times)
        return f"{self.images} images{failed}, {self._found()}; {rate}; ms an image: {stages}"

    def _found(self) -> str:
        """Objects by class, the most frequent first."""
        total = sum(self._objects.values())
        counted = self._objects.most_common()
        named = [f"{name} {count}" for name, count in counted[:MAX_CLASSES]]
        others = sum(count for _, count in counted[MAX_CLASSES:])
        classes = ", ".join([*named, *([f"other classes {others}"] if others else [])])
        return f"{total} object{'' if total == 1 else 's'}" + (f" ({classes})" if classes else "")
