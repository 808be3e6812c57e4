"""Scripts for OpenCV 4 run with one import changed, and mistakes are reported; no OpenCV 4 is needed."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cv2dnn.cases import blob, written
from yolodsc import cv2dnn
from yolodsc.cv2dnn import cv2 as patched
from yolodsc.detection.model_files import resolve_model
from yolodsc.errors import CfgError, OptionError
from yolodsc.images.image import write_image

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
{imports}
import numpy as np

image = cv2.imread(sys.argv[3])
height, width = image.shape[:2]
net = cv2.dnn.readNetFromDarknet(sys.argv[1], sys.argv[2])
net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
names = net.getLayerNames()
outputs = [names[number - 1] for number in np.array(net.getUnconnectedOutLayers()).flatten()]
net.setInput(cv2.dnn.blobFromImage(image, 1 / 255.0, (320, 320), swapRB=True, crop=False))
boxes, confidences, class_ids = [], [], []
for output in net.forward(outputs):
    for detection in output:
        scores = detection[5:]
        class_id = int(np.argmax(scores))
        if scores[class_id] > 0.21:
            x, y, w, h = detection[:4] * np.array([width, height, width, height])
            boxes.append([int(x - w / 2), int(y - h / 2), int(w), int(h)])
            confidences.append(float(scores[class_id]))
            class_ids.append(class_id)
kept = cv2.dnn.NMSBoxes(boxes, confidences, 0.21, 0.4)
milliseconds = net.getPerfProfile()[0] * 1000.0 / cv2.getTickFrequency()
assert milliseconds > 0
for number in np.array(kept).flatten():
    print(class_ids[number], round(confidences[number], 3), boxes[number])
"""


def run_script(imports: str, *arguments: str) -> str:
    """What the script prints."""
    command = [sys.executable, "-c", SCRIPT.format(imports=imports), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_the_usual_script_runs_with_one_import_changed(tmp_path: Path) -> None:
    """It prints the boxes that it printed with OpenCV 4; where that is not installed, at least one box."""
    files = resolve_model("dsc-nano-voc")
    skimage = pytest.importorskip("skimage", reason="needs scikit-image's photographs (extra demo)")
    photograph = str(Path(skimage.__file__).parent / "data/chelsea.png")
    arguments = (str(files.cfg), str(files.weights), photograph)

    printed = run_script("from yolodsc.cv2dnn import cv2", *arguments)

    assert "7 0." in printed
    import cv2

    if hasattr(cv2.dnn, "readNetFromDarknet"):
        assert printed == run_script("import cv2", *arguments)


def test_the_patched_module_is_opencv_but_for_dnn() -> None:
    """OpenCV itself stays as it is; the old names of models are there too."""
    import cv2

    assert patched.dnn is cv2dnn
    assert cv2.dnn is not cv2dnn
    assert patched.imread is cv2.imread
    assert patched.dnn_DetectionModel is cv2dnn.DetectionModel
    assert {"dnn", "imread"} <= set(dir(patched))
    with pytest.raises(AttributeError):
        _ = patched.no_such_name


def test_names_of_opencv_are_there() -> None:
    """Blobs, suppression, constants that OpenCV 5 has no longer, and everything else of the installed OpenCV."""
    import cv2

    assert cv2dnn.blobFromImage is cv2.dnn.blobFromImage
    assert cv2dnn.NMSBoxes is cv2.dnn.NMSBoxes
    assert (cv2dnn.DNN_BACKEND_OPENCV, cv2dnn.DNN_TARGET_CPU, cv2dnn.DNN_TARGET_MYRIAD) == (3, 0, 3)
    assert cv2dnn.readNetFromONNX is cv2.dnn.readNetFromONNX
    assert {"readNetFromDarknet", "DetectionModel", "blobFromImage", "DNN_TARGET_CUDA"} <= set(dir(cv2dnn))
    with pytest.raises(AttributeError):
        _ = cv2dnn.no_such_name


def test_perf_profile_is_that_of_the_last_run(tmp_path: Path) -> None:
    """Ticks of all layers, which sum to those of the layers."""
    net = cv2dnn.readNet(*written("yolo", tmp_path))
    assert net.getPerfProfile()[0] == 0
    net.setInput(blob(1, 4, 8, 12))
    net.forward()

    ticks, timings = net.getPerfProfile()

    assert ticks > 0
    assert timings.shape == (len(net.getLayerNames()),)
    assert timings.sum() == ticks


def test_results_are_the_callers_own(tmp_path: Path) -> None:
    """A later run changes no earlier result, and a change of the blob after `setInput` no result at all."""
    net = cv2dnn.readNet(*written("relu", tmp_path))
    x = blob(1, 4, 8, 12)
    net.setInput(x)
    first = net.forward()
    before = first.copy()
    x[:] = 0
    np.testing.assert_array_equal(net.forward(), before)

    net.setInput(blob(1, 4, 8, 12, seed=2))
    net.forward()

    np.testing.assert_array_equal(first, before)


def test_options_without_effect_are_accepted_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Backends, targets and fusion; nothing is printed."""
    net = cv2dnn.readNet(*written("relu", tmp_path))
    with caplog.at_level("INFO", "yolodsc.cv2dnn"):
        net.setPreferableBackend(cv2dnn.DNN_BACKEND_CUDA)
        net.setPreferableTarget(cv2dnn.DNN_TARGET_CUDA_FP16)
        net.enableFusion(False)
        net.enableWinograd(False)
        net.setInputsNames(["data"])

    assert len(caplog.records) == 5
    assert "runs its own engine" in caplog.text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: net.forward(), "expected setInput before forward"),
        (
            lambda net: net.setInput(np.zeros((4, 8, 12), np.float32)),
            r"^blob: shape \(4, 8, 12\); expected \(N, 4, height, width\)",
        ),
        (lambda net: net.setInput(np.zeros((1, 3, 8, 12), np.float32)), r"^blob: shape \(1, 3, 8, 12\); expected \(N, 4"),
        (lambda net: net.setInput(np.zeros((1, 4, 8, 12), complex)), "^blob: values of complex128"),
        (lambda net: net.getLayer("conv_9"), "layer conv_9: not in this network"),
        (lambda net: net.getLayer(99), "layer 99: not in this network"),
        (lambda net: net.getFLOPS((1, 3, 8, 12)), "blob of 3 channels; expected 4"),
    ],
)
def test_mistakes_are_reported_in_one_line(call: Any, message: str, tmp_path: Path) -> None:
    """With what was expected."""
    net = cv2dnn.readNet(*written("relu", tmp_path))

    with pytest.raises(OptionError, match=message):
        call(net)


def test_files_that_are_no_darknet_network_are_refused(tmp_path: Path) -> None:
    """`readNet` says who reads them; an empty net says that it is empty."""
    with pytest.raises(OptionError, match=re.escape("model=net.onnx: no Darknet network")):
        cv2dnn.readNet("net.onnx")
    with pytest.raises(CfgError, match="no section found"):
        cv2dnn.readNetFromDarknet(b"")
    assert cv2dnn.Net().empty()
    with pytest.raises(OptionError, match="this net is empty"):
        cv2dnn.Net().getLayer(0)
    with pytest.raises(OptionError, match="rows of boxes"):
        model = cv2dnn.DetectionModel(*written("relu", tmp_path, channels=3))
        model.setInputSize(12, 8)
        model.detect(np.zeros((8, 12, 3), np.uint8))
    with pytest.raises(OptionError, match="input size not specified"):
        cv2dnn.DetectionModel(*written("yolo", tmp_path)).detect(np.zeros((8, 12, 3), np.uint8))


def test_the_page_has_the_measured_ratios() -> None:
    """Those of ``docs/figures.json``, network by network, all of them above 1."""
    figures = json.loads((ROOT / "docs/figures.json").read_text(encoding="utf-8"))["opencv_script"]
    page = (ROOT / "docs/opencv.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w.-]+), \d+ \| ([\d.]+) \| ([\d.]+) \|$", page, re.MULTILINE)

    assert {name: {"network": float(network), "script": float(script)} for name, network, script in rows} == figures
    assert all(ratio > 1 for one in figures.values() for ratio in one.values())


def test_a_cfg_alone_is_a_network(tmp_path: Path) -> None:
    """Its layers have names; OpenCV reads it as well."""
    cfg, _ = written("yolo", tmp_path)
    assert not cv2dnn.readNetFromDarknet(cfg).empty()
    assert "yolo_1" in cv2dnn.readNetFromDarknet(cfg).dump()


def test_rows_hold_the_boxes_of_the_detector(tmp_path: Path) -> None:
    """Centre, size and score of the best row are those of yolodsc's own detector under the profile ``opencv``."""
    import yolodsc

    rng = np.random.default_rng(1)
    image = np.kron(rng.integers(0, 255, (10, 10, 3), np.uint8), np.ones((32, 32, 1), np.uint8))
    write_image(tmp_path / "a.png", image)
    files = resolve_model("dsc-fastest-voc")
    with yolodsc.load("dsc-fastest-voc", profile="opencv", nms_thresh=1.0, thresh=0.2) as detector:
        found = detector(tmp_path / "a.png")
    net = cv2dnn.readNet(str(files.weights), str(files.cfg))
    net.setInput(cv2dnn.blobFromImage(image, 1 / 255, (320, 320)))

    rows = np.concatenate(net.forward(net.getUnconnectedOutLayersNames()))
    scores = np.sort(rows[:, 5:][rows[:, 5:] > 0])[::-1]

    np.testing.assert_allclose(scores, found.scores, atol=1e-4)
