"""Video at the speed of its parts: ``python tools/bench/video.py --model DIR [--video FILE]``.

Measures frames a second, interleaved in rounds: decoding alone, the network alone (on one core, and as many frames at the same
time as there are cores), ``Detector.stream``, and a plain OpenCV script (``VideoCapture``, ``cv2.dnn``, ``NMSBoxes``). ``--save``
adds drawing and encoding to the last two. Without ``--video``, OpenCV makes a clip of 1280x720 pixels out of a photograph that
moves.
"""

import argparse
import os
import re
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import cv2
import numpy as np

from yolodsc.detection import Detector, ModelFiles, Overlay, VideoFile, resolve_model
from yolodsc.engine import capped_at_cores

THRESH, NMS = 0.25, 0.45

DECODING, ONE_CORE, ALL_CORES = "decoding alone", "network alone, one core", "network alone, all cores"
STREAM, PLAIN = "Detector.stream", "plain OpenCV"


def make_clip(path: Path, count: int, photograph: Path | None) -> Path:
    """A clip in which a photograph, or noise, moves by a few pixels a frame."""
    image = cv2.imread(str(photograph)) if photograph else None
    if image is None:
        image = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    wide = cv2.resize(image, (1600, 900), interpolation=cv2.INTER_CUBIC)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 30, (1280, 720))
    for number in range(count):
        x, y = abs(160 - number % 320), abs(90 - number % 180)
        writer.write(np.ascontiguousarray(wide[y : y + 720, 2 * x : 2 * x + 1280]))
    writer.release()
    return path


def decode(video: Path, count: int) -> int:
    """Frames alone."""
    capture = cv2.VideoCapture(str(video))
    done = 0
    while done < count and capture.read()[0]:
        done += 1
    capture.release()
    return done


def network_alone(detector: Detector, count: int, workers: int) -> int:
    """The network alone, on inputs that are ready."""
    inputs = [np.random.default_rng(n).random(detector.network.input_shape, np.float32) for n in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        return len(list(pool.map(lambda n: detector.many_runner(inputs[n % workers]), range(count))))


def stream(detector: Detector, video: Path, count: int, save: Path | None, memory: list[list[int]]) -> int:
    """`Detector.stream`, with an annotated video on request; adds the memory of the process after each sixth of the video."""
    done = 0
    memory.append([])
    overlay, out = Overlay(), VideoFile(save / "yolodsc.mp4", fps=30) if save else None
    with closing(detector.stream(video, max_frames=count)) as results:
        for image, detections in results:
            done += 1
            if done % max(1, count // 6) == 0:
                memory[-1].append(resident())
            if out is not None:
                out.add(overlay.draw(image, detections))
    if out is not None:
        out.close()
    return done


def resident() -> int:
    """Memory of the process in MB (Linux)."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") // 2**20


class PlainScript:
    """What tutorials show: a loop over frames with OpenCV's dnn module and its own suppression."""

    def __init__(self, files: ModelFiles, detector: Detector, threads: int) -> None:
        cv2.setNumThreads(threads)
        dnn: Any = cv2.dnn
        self.net = dnn.readNetFromDarknet(str(files.cfg), str(files.weights))
        self.net.setPreferableBackend(dnn.DNN_BACKEND_OPENCV)
        self.names = self.net.getUnconnectedOutLayersNames()
        self.size = (detector.network.input_shape.width, detector.network.input_shape.height)

    def __call__(self, video: Path, count: int, save: Path | None) -> int:
        """Run on ``count`` frames."""
        capture = cv2.VideoCapture(str(video))
        writer = None
        done = 0
        while done < count:
            more, frame = capture.read()
            if not more:
                break
            boxes = self.boxes(frame)
            done += 1
            if save is not None:
                size = (frame.shape[1], frame.shape[0])
                writer = writer or cv2.VideoWriter(str(save / "plain.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 30, size)
                for x, y, w, h in boxes:
                    cv2.rectangle(frame, (x, y), (x + w, y + h), (0, 255, 0), 2)
                    cv2.putText(frame, "object", (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 255, 0), 2)
                writer.write(frame)
        if writer is not None:
            writer.release()
        return done

    def boxes(self, frame: Any) -> list[list[int]]:
        """Boxes (x, y, w, h) of a frame."""
        height, width = frame.shape[:2]
        self.net.setInput(cv2.dnn.blobFromImage(frame, 1 / 255, self.size, swapRB=True))
        rows = np.concatenate(self.net.forward(self.names))
        scores = rows[:, 5:].max(axis=1)
        rows, scores = rows[scores > THRESH], scores[scores > THRESH]
        centre = rows[:, :4] * (width, height, width, height)
        corners = np.concatenate([centre[:, :2] - centre[:, 2:] / 2, centre[:, 2:]], axis=1).astype(int).tolist()
        return [corners[index] for index in cv2.dnn.NMSBoxes(corners, scores.tolist(), THRESH, NMS)]


def timed(run: Callable[[], int]) -> tuple[float, float]:
    """Milliseconds a frame, by the clock and of processor time."""
    start, cpu = perf_counter(), process_time()
    count = run()
    return (perf_counter() - start) / count * 1000, (process_time() - cpu) / count * 1000


def resized(cfg: Path, side: int, folder: Path) -> Path:
    """A copy of a .cfg file with another input size."""
    text = re.sub(r"(?m)^(width|height)\s*=.*$", rf"\g<1>={side}", cfg.read_text())
    (folder / cfg.name).write_text(text)
    return folder / cfg.name


def compare(files: ModelFiles, options: argparse.Namespace, folder: Path) -> None:
    """Measure in rounds and print."""
    cores = capped_at_cores(1, 10**6)[1]
    detector = Detector.from_files(files.cfg, files.weights, files.names, thresh=THRESH, streams=cores)
    single = Detector.from_files(files.cfg, files.weights, files.names, threads=1, streams=1)
    plain = PlainScript(files, detector, cores)
    video = options.video or make_clip(folder / "clip.mp4", options.frames, options.photograph)
    save = folder if options.save else None
    memory: list[list[int]] = []
    runs: dict[str, Callable[[], int]] = {
        DECODING: lambda: decode(video, options.frames),
        ONE_CORE: lambda: network_alone(single, options.network_frames, 1),
        ALL_CORES: lambda: network_alone(detector, options.network_frames, cores),
        STREAM: lambda: stream(detector, video, options.frames, save, memory),
        PLAIN: lambda: plain(video, options.plain_frames, save),
    }
    stream(detector, video, 20, None, [])
    plain(video, 5, None)
    rounds = [{name: timed(run) for name, run in runs.items()} for _ in range(options.rounds)]
    shape = "x".join(map(str, detector.network.input_shape[1:]))
    print(
        f"{files.cfg.stem} at {shape}, {options.frames} frames, {cores} cores, OpenCV {cv2.__version__}{', saved' if save else ''}"
    )
    report(rounds, cores)
    print(
        "memory of the process after each sixth of the video, by round, in MB: " + "; ".join(" ".join(map(str, m)) for m in memory)
    )


def report(rounds: list[dict[str, tuple[float, float]]], cores: int) -> None:
    """Print the best round of each run, and the ratios of these: whatever else runs on the machine can only slow a round down."""
    best = {name: tuple(min(measured[name][k] for measured in rounds) for k in (0, 1)) for name in rounds[0]}
    for name, (wall, cpu) in best.items():
        print(f"{name:24} {1000 / wall:7.1f} fps {wall:7.2f} ms, {cpu:6.2f} ms of processor time a frame")
    decoding, one_core, all_cores, plain = (best[name] for name in (DECODING, ONE_CORE, ALL_CORES, PLAIN))
    bounds = {
        "the slower of decoding and network on one core": max(decoding[0], one_core[0]),
        "the slower of decoding and network on all cores": max(decoding[0], all_cores[0]),
        "the processor time of decoding and network, on all cores": (decoding[1] + one_core[1]) / cores,
        "plain OpenCV": plain[0],
    }
    for name, milliseconds in bounds.items():
        print(f"{milliseconds / best[STREAM][0]:5.2f} times the frames a second of {name}")
    print(f"{(decoding[1] + one_core[1]) / best[STREAM][1]:5.2f} of the processor time of {STREAM} is decoding and the network")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="dsc-nano-voc")
    parser.add_argument("--size", type=int, help="another side of the network's input")
    parser.add_argument("--video", type=Path)
    parser.add_argument("--photograph", type=Path)
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--network-frames", type=int, default=300)
    parser.add_argument("--plain-frames", type=int, default=100, help="frames of the slower peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    files = resolve_model(options.model)
    with tempfile.TemporaryDirectory() as folder:
        if options.size:
            files = ModelFiles(resized(files.cfg, options.size, Path(folder)), files.weights, files.names)
        compare(files, options, Path(folder))


if __name__ == "__main__":
    main()
