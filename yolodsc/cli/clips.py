"""Videos, cameras and streams in ``yolodsc detect``."""

from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

from yolodsc.cli.declarations import option
from yolodsc.cli.progress import progress
from yolodsc.cli.terminal import note, say
from yolodsc.errors import ImageError

if TYPE_CHECKING:
    from yolodsc.detection import Detections, Detector, FrameResult, FrameSource, LineCounter, Tracker, Window, Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipOptions:
    """Options of videos, cameras and streams."""

    vid_stride: Annotated[int, option(min=1, metavar="N", help="Process every Nth frame of videos.")] = 1
    max_frames: Annotated[
        int | None, option(min=1, metavar="N", help="Stop each video, camera or stream after N frames.", show_default="all")
    ] = None
    show: Annotated[bool, option("--show", help="Show results in a window; q or Escape ends the run.")] = False
    reconnects: Annotated[int, option(min=0, metavar="N", help="Successive attempts to reconnect to a camera or stream.")] = 5
    track: Annotated[bool, option("--track", help="Number the objects of videos (ByteTrack; extra 'track').")] = False
    trails: Annotated[int, option(min=0, metavar="N", help="Draw the path of each track in the last N frames.")] = 0
    count_line: Annotated[
        str | None,
        option(metavar="X0,Y0,X1,Y1", help="Count the tracks that cross a line, in pixels.", show_default="no line"),
    ] = None

    @property
    def tracks(self) -> bool:
        """Whether objects are tracked: ``--trails`` and ``--count-line`` imply it."""
        return self.track or self.trails > 0 or self.count_line is not None

    def check(self) -> None:
        """Raise an error for a line that is none, and for a missing library, before any work begins."""
        if self.tracks:
            self.tracker(thresh=0.5, fps=25)
        self.line_counter()

    def tracker(self, *, thresh: float, fps: float) -> "Tracker | None":
        """A tracker if one is requested."""
        from yolodsc.detection import Tracker

        return Tracker(thresh=thresh, fps=fps) if self.tracks else None

    def line_counter(self) -> "LineCounter | None":
        """A counter if a line is given."""
        if self.count_line is None:
            return None
        from yolodsc.detection import CountLine, LineCounter

        return LineCounter(CountLine.parsed(self.count_line))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRun:
    """What all clips of a run share."""

    detector: "Detector"
    writers: "list[Writer]"
    options: ClipOptions
    window: "Window | None"
    quiet: bool

    def run(self, source: str) -> bool:
        """Detect, write and print; False if the source cannot be opened or ended too early."""
        from yolodsc.detection import open_source

        try:
            frames = open_source(
                self.detector.pipeline,
                source,
                vid_stride=self.options.vid_stride,
                reconnects=self.options.reconnects,
                report=note,
            )
        except ImageError as error:
            note(str(error))
            return False
        with ExitStack() as stack:
            clip = Clip(frames, self, stack)
            try:
                return clip.run()
            finally:
                stack.close()
                if not self.quiet:
                    say(*clip.summary())


@dataclass(slots=True)
class Totals:
    """What has been counted in a clip."""

    frames: int = 0
    objects: Counter[int] = field(default_factory=Counter)
    start: float = field(default_factory=perf_counter)
    seconds: float = 0.0

    def add(self, detections: "Detections") -> None:
        """Add a frame."""
        self.frames += 1
        self.objects.update(map(int, detections.class_ids))
        self.seconds = perf_counter() - self.start


class Clip:
    """The run of one clip; what it opens is closed by ``stack``."""

    def __init__(self, frames: "FrameSource", run: ClipRun, stack: ExitStack) -> None:
        from yolodsc.detection import AnnotatedWriter, Overlay, TrackCounter, VideoFile

        self.frames, self.shared, self.totals = frames, run, Totals()
        options, self.names = run.options, run.detector.names
        self.tracker = options.tracker(thresh=run.detector.thresh, fps=frames.fps)
        self.tracks: TrackCounter | None = TrackCounter() if self.tracker else None
        self.line = options.line_counter()
        self.overlay = Overlay(trails=options.trails, line=self.line)
        self.video: VideoFile | None = None
        self.writers = run.writers
        annotated = next((writer for writer in run.writers if isinstance(writer, AnnotatedWriter)), None)
        if annotated is not None and (frames.count is None or frames.count > 1 or frames.live):
            self.writers = [writer for writer in run.writers if writer is not annotated]
            self.video = VideoFile(annotated.video_path(frames.name), fps=frames.fps)
            stack.callback(self.video.close)

    def run(self) -> bool:
        """Process all frames; False if the source ended too early."""
        from yolodsc.detection import detect_frames, limited, low_threshold

        pipeline = self.shared.detector.pipeline
        options = self.shared.options
        found = detect_frames(low_threshold(pipeline) if self.tracker else pipeline, self.frames, images=self._shows_images)
        results = limited(found, options.max_frames)
        known = [count for count in (self.frames.count, options.max_frames) if count is not None]
        total = min(known) if known else None
        errors: list[ImageError] = []
        with closing(results):
            shown = progress(_until_error(results, errors), total=lambda: total, quiet=self.shared.quiet, unit="frames")
            for result in shown:
                self._add(result)
        for error in errors:
            note(str(error))
        return not errors and not self.frames.failed

    @property
    def _shows_images(self) -> bool:
        """Whether anything but the terminal gets the frames, which are then converted to RGB."""
        return bool(self.writers) or self.video is not None or self.shared.window is not None

    def _add(self, result: "FrameResult") -> None:
        """Track, count, write, print and show one frame."""
        detections, frame = result.detections, result.frame
        if self.tracker is not None:
            detections = self.tracker.update(detections)
        for counter in (self.tracks, self.line):
            if counter is not None:
                counter.update(detections)
        self.totals.add(detections)
        for writer in self.writers:
            writer.add(detections, frame.image)
        if not self.shared.quiet:
            say(self._line(detections, result.seconds))
        if self.video is not None or self.shared.window is not None:
            drawn = self.overlay.draw(frame.image, detections)
            if self.video is not None:
                self.video.add(drawn)
            if self.shared.window is not None:
                self.shared.window.show(drawn)

    def _line(self, detections: "Detections", seconds: float) -> str:
        from yolodsc.detection import counted

        frame = "" if detections.frame is None else f" frame {detections.frame}"
        found = counted(Counter(map(int, detections.class_ids)), self.names) if len(detections) else "0 objects"
        return f"{self.frames.name}{frame}: {found}, {seconds * 1000:.0f} ms"

    def summary(self) -> list[str]:
        """Lines at the end: frames, objects and their rate, where the video is, tracks and crossings by class."""
        from yolodsc.detection import counted

        totals = self.totals
        rate = totals.frames / totals.seconds if totals.seconds else 0.0
        saved = f"; saved in {self.video.path}" if self.video is not None and totals.frames else ""
        frames = f"{totals.frames} frame{'' if totals.frames == 1 else 's'} ({rate:.1f} fps)"
        lines = [f"{self.frames.name}: {frames}, objects: {counted(totals.objects, self.names)}{saved}"]
        if self.tracks is not None:
            lines.append(f"  tracks: {counted(self.tracks.counts(), self.names)}")
        if self.line is not None:
            right, left = counted(self.line.to_right, self.names), counted(self.line.to_left, self.names)
            lines.append(f"  line {self.shared.options.count_line}: to the right {right}; to the left {left}")
        return lines


def _until_error(results: "Generator[FrameResult]", errors: list[ImageError]) -> "Iterator[FrameResult]":
    """Yield results until the source ends, or fails with an error that is kept."""
    try:
        yield from results
    except ImageError as error:
        errors.append(error)
