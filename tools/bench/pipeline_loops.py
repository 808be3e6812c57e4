"""Loops from image files to detections in memory, one for each program: what `tools/bench/pipeline.py` times.

Each loop is what a user of that program writes: ``cv2.imread``, resize, the network, threshold, boxes and non-maximum suppression
in NumPy and OpenCV. The peers' networks are yolodsc's ONNX export with activated heads, or the Darknet pair itself.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import sched_getaffinity
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.network import Network, YoloLayer

Loop = Callable[[Sequence[str]], int]
"""Processes the files and returns the number of detections."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Task:
    """The files of a network, and the thresholds of all loops."""

    cfg: str
    weights: str
    onnx: str
    thresh: float
    nms: float

    @property
    def network(self) -> Network:
        """The network, from which the peers' loops take the geometry of the heads."""
        return Network.load(self.cfg, self.weights)


def yolodsc(task: Task, **options: Any) -> Loop:
    """``Detector.many`` at its defaults."""
    from yolodsc.detection import Detector

    detector = Detector.from_files(task.cfg, task.weights, thresh=task.thresh, nms_thresh=task.nms, **options)

    def loop(paths: Sequence[str]) -> int:
        return sum(len(result.detections or ()) for result in detector.many(paths))

    return loop


def decoding_and_network(task: Task, *, decoder: str = "auto") -> Loop:
    """The limit of `yolodsc`: a thread for each core that decodes files and runs the network, and does nothing else."""
    from yolodsc.detection import Detector
    from yolodsc.images import read_image

    cores = len(sched_getaffinity(0))
    detector = Detector.from_files(task.cfg, task.weights, threads=1, streams=cores, decoder=decoder)
    x = np.random.default_rng(0).random(detector.network.input_shape).astype(np.float32)

    def part(paths: Sequence[str]) -> None:
        for path in paths:
            read_image(path, channels=x.shape[0], decoder=detector.reader.decoder)
            detector.runner(x)

    def loop(paths: Sequence[str]) -> int:
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(part, [paths[first::cores] for first in range(cores)]))
        return 0

    return loop


def openvino(task: Task, *, precision: str | None = None) -> Loop:
    """An ``AsyncInferQueue`` of a model that is compiled with the throughput hint."""
    import openvino as ov

    hints = {"PERFORMANCE_HINT": "THROUGHPUT"} | ({"INFERENCE_PRECISION_HINT": precision} if precision else {})
    compiled = ov.Core().compile_model(task.onnx, "CPU", hints)
    queue = ov.AsyncInferQueue(compiled)
    decode = PeerDecoder(task)
    blob = _blob(decode.network)

    def loop(paths: Sequence[str]) -> int:
        counts: list[int] = []

        def completed(request: Any, size: tuple[int, int]) -> None:
            outputs = [request.get_output_tensor(k).data[0] for k in range(len(compiled.outputs))]
            counts.append(len(decode(outputs, size)))

        queue.set_callback(completed)
        for path in paths:
            x, size = blob(path)
            queue.start_async({0: x}, size)
        queue.wait_all()
        return sum(counts)

    return loop


def onnxruntime(task: Task) -> Loop:
    """A session at its defaults: all cores inside one image."""
    import onnxruntime as ort

    session = ort.InferenceSession(task.onnx, providers=["CPUExecutionProvider"])
    decode = PeerDecoder(task)
    blob, name = _blob(decode.network), session.get_inputs()[0].name

    def loop(paths: Sequence[str]) -> int:
        count = 0
        for path in paths:
            x, size = blob(path)
            count += len(decode([output[0] for output in session.run(None, {name: x})], size))
        return count

    return loop


def opencv(task: Task) -> Loop:
    """OpenCV 4's reader of Darknet networks; its outputs are rows of boxes."""
    import cv2

    net = cv2.dnn.readNetFromDarknet(task.cfg, task.weights)
    names = net.getUnconnectedOutLayersNames()
    blob = _blob(task.network)

    def loop(paths: Sequence[str]) -> int:
        count = 0
        for path in paths:
            x, (width, height) = blob(path)
            net.setInput(x)
            rows = np.concatenate(net.forward(names))  # (N, 5 + classes): centre, size, objectness, scores
            n, k = np.nonzero(rows[:, 5:] > task.thresh)
            boxes = rows[n, :4] * np.array([width, height, width, height], np.float32)
            count += len(_suppressed(boxes, rows[n, 5 + k], k, task))
        return count

    return loop


class PeerDecoder:
    """Outputs of activated ``[yolo]`` heads to rows (x, y, w, h, score, class) after suppression, in NumPy and OpenCV."""

    def __init__(self, task: Task) -> None:
        self.task, self.network = task, task.network
        self.heads = [head for head in self.network.heads if isinstance(head, YoloLayer)]

    def __call__(self, outputs: Sequence[Floats], size: tuple[int, int]) -> Floats:
        """Detections of an image of ``size`` (width, height)."""
        parts = [self._rows(head, output) for head, output in zip(self.heads, outputs, strict=True)]
        boxes, scores, classes = (np.concatenate(column) for column in zip(*parts, strict=True))
        return _suppressed(boxes * np.array([*size, *size], np.float32), scores, classes, self.task)

    def _rows(self, head: YoloLayer, output: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
        entries = output.reshape(len(head.anchors), -1, *head.shape[1:])
        anchors, rows, columns = np.nonzero(entries[:, 4] > self.task.thresh)
        found = entries[anchors, :, rows, columns]  # (N, 5 + classes)
        scores = found[:, 5:] * found[:, 4:5]
        n, k = np.nonzero(scores > self.task.thresh)
        grid, image = np.array(head.shape[:0:-1], np.float32), np.array(self.network.input_shape[:0:-1], np.float32)
        centres = (found[:, :2] + np.stack([columns, rows], axis=1)) / grid
        sizes = np.exp(found[:, 2:4]) * np.array(head.anchors, np.float32)[anchors] / image
        return np.concatenate([centres, sizes], axis=1).astype(np.float32)[n], scores[n, k], k


def _blob(network: Network) -> Callable[[str], tuple[Floats, tuple[int, int]]]:
    """Reads a file into the network's input (1, C, H, W); also returns its width and height."""
    import cv2

    _, height, width = network.input_shape

    def read(path: str) -> tuple[Floats, tuple[int, int]]:
        image = cv2.imread(path)
        assert image is not None
        return cv2.dnn.blobFromImage(image, 1 / 255, (width, height), swapRB=True), (image.shape[1], image.shape[0])

    return read


def _suppressed(boxes: Floats, scores: Floats, classes: NDArray[np.int64], task: Task) -> Floats:
    import cv2

    if not len(boxes):
        return np.zeros((0, 6), np.float32)
    corner = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(corner, scores, classes.astype(np.int32), task.thresh, task.nms)
    return np.column_stack([boxes, scores, classes])[np.asarray(kept, np.int64).reshape(-1)]


LOOPS: dict[str, Callable[[Task], Loop]] = {
    "yolodsc": yolodsc,
    "yolodsc-before": yolodsc,
    "yolodsc-fast": lambda task: yolodsc(task, decoder="fast"),
    "limit": decoding_and_network,
    "limit-fast": lambda task: decoding_and_network(task, decoder="fast"),
    "openvino-async": openvino,
    "openvino-async-f32": lambda task: openvino(task, precision="f32"),
    "onnxruntime": onnxruntime,
    "opencv": opencv,
}
"""Loops by name. ``limit`` is what decoding and the network alone allow on all cores.

``yolodsc-before`` is another tree of yolodsc, which the environment variable PIPELINE_YOLODSC_BEFORE names.
"""


def image_files(folder: Path, count: int) -> list[str]:
    """The first files of a folder, by name."""
    return [str(path) for path in sorted(folder.glob("*.jpg"))[:count]]
