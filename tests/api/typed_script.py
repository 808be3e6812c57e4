"""What a user writes: typed, with every part of the interface."""

import sys
from pathlib import Path

import numpy as np

import yolodsc
from yolodsc import Classification, Classifier, Detection, Detections, Detector, Network, YolodscError, cv2dnn
from yolodsc.errors import OptionError


def best(detections: Detections) -> Detection | None:
    """The best object, or None."""
    return detections[0] if detections else None


def run(path: str, folder: Path) -> int:
    """Detect, select, draw and write."""
    with yolodsc.load("dsc-fastest-voc", profile="opencv", thresh=0.05, classes=None, bgr=False, threads=1) as detector:
        found = detector(path, thresh=0.01, nms=0.4, classes=["dog", 3], max_detections=10, agnostic=True)
        everything: Detections = detector(Path(path), thresh=0.01)
        names: list[str] = [one.name for one in everything]
        boxes: list[tuple[float, float, float, float]] = [one.box_xyxy for one in everything.clip()]
        strong: Detections = everything[everything.scores > 0.5]
        pixels = np.zeros((20, 30, 3), np.uint8)
        for result in detector.many([path, pixels, b"no image"], bgr=True, thresh=0.2):
            text: str = result.detections.to_json() if result.detections is not None else str(result.error)
            assert text
        one = best(everything)
        score: float = 0.0 if one is None else one.score
        everything.save(folder / "drawn.png")
        crops = [crop.shape for crop in everything.crops()]
        network: Network = detector.network
        again: Detector = yolodsc.load(network, names=detector.names)
        again.close()
    assert len(found) <= 10
    assert len(names) == len(boxes) == len(crops) >= len(strong)
    assert 0 <= score <= 1
    return blobs(network)


def blobs(network: Network) -> int:
    """The interface of OpenCV."""
    net = cv2dnn.Net(network)
    net.setInput(np.zeros((1, *network.input_shape), np.float32))
    last = net.forward()
    rows = net.forward(net.getUnconnectedOutLayersNames())
    return len(last) if len(rows) == 2 else 0


def classify(classifier: Classifier, path: str) -> str:
    """The name of the best class."""
    classification: Classification = classifier(path)
    return classification.top(1)[0].name


if __name__ == "__main__":
    try:
        yolodsc.load("no such network")
    except OptionError as error:
        assert isinstance(error, YolodscError)
    assert run(sys.argv[1], Path(sys.argv[2])) > 0
