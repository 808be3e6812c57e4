"""One call of a detector: images of every kind, and its options."""

import http.server
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import yolodsc
from yolodsc.errors import ImageError, OptionError


class Tensor:
    """What a tensor of PyTorch offers: the array comes after `detach` and `cpu`."""

    def __init__(self, values: NDArray[Any]) -> None:
        self._values = values
        self.ndim = values.ndim

    def detach(self) -> "Tensor":
        """Return itself."""
        return self

    def cpu(self) -> NDArray[Any]:
        """Return the values."""
        return self._values

    def __iter__(self) -> Iterator["Tensor"]:
        return map(Tensor, self._values)


@pytest.fixture(scope="module")
def address(path: str) -> Iterator[str]:
    """The image on a web server of this machine."""
    content = Path(path).read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/blocks.png"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(content if found else b"")

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def same(found: Any, expected: yolodsc.Detections) -> None:
    """Check that both are the same boxes, bit for bit."""
    assert len(expected) > 1
    np.testing.assert_array_equal(found.boxes_xyxy, expected.boxes_xyxy)
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.class_ids, expected.class_ids)


KINDS = {
    "path": lambda path, image: Path(path),
    "bytes": lambda path, image: Path(path).read_bytes(),
    "bytearray": lambda path, image: bytearray(Path(path).read_bytes()),
    "file": lambda path, image: io.BytesIO(Path(path).read_bytes()),
    "pillow": lambda path, image: Image.open(path),
    "array": lambda path, image: image,
    "array with alpha": lambda path, image: np.dstack([image, image[..., :1]]),
    "tensor of bytes": lambda path, image: Tensor(image.transpose(2, 0, 1)),
    "tensor of reals": lambda path, image: Tensor((image.transpose(2, 0, 1) / 255).astype(np.float32)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_every_kind_give_the_same_boxes(
    kind: str, detector: yolodsc.Detector, path: str, image: NDArray[np.uint8]
) -> None:
    """In a call and in `many`."""
    expected = detector(path)

    same(detector(KINDS[kind](path, image)), expected)
    (result,) = detector.many([KINDS[kind](path, image)])
    same(result.detections, expected)


def test_web_addresses_are_images(detector: yolodsc.Detector, path: str, address: str) -> None:
    """The address is the path of the result; an answer without an image is an error of one line."""
    found = detector(f"{address}/blocks.png")

    same(found, detector(path))
    assert found.path == f"{address}/blocks.png"
    with pytest.raises(ImageError, match=r"missing.png: cannot be downloaded: HTTP Error 404"):
        detector(f"{address}/missing.png")


@pytest.mark.parametrize("make", [lambda x: x, lambda x: Tensor(x.transpose(2, 0, 1))], ids=["array", "tensor"])
def test_bgr_arrays_are_read_as_such(make: Any, path: str, image: NDArray[np.uint8], detector: yolodsc.Detector) -> None:
    """By call, by `many`, and by `load(bgr=True)`; without it other boxes come out."""
    swapped = make(np.ascontiguousarray(image[..., ::-1]))
    expected = detector(path)

    same(detector(swapped, bgr=True), expected)
    (result,) = detector.many([swapped], bgr=True)
    same(result.detections, expected)
    assert detector(swapped).scores.tolist() != expected.scores.tolist()
    with yolodsc.load("dsc-fastest-voc", thresh=0.01, bgr=True) as other:
        same(other(swapped), expected)
        same(other(path), expected)


def test_the_docstring_warns_of_bgr() -> None:
    """The mistake is silent otherwise."""
    assert "cv2.imread" in (yolodsc.Detector.__call__.__doc__ or "")


def test_batches_are_images(detector: yolodsc.Detector, path: str, image: NDArray[np.uint8]) -> None:
    """Four axes, alone or among others, also of tensors; results have no path then."""
    batch = np.stack([image, image])

    results = [*detector.many(batch), *detector.many([batch, path]), *detector.many(Tensor(batch.transpose(0, 3, 1, 2)))]  # type: ignore[arg-type]

    assert len(results) == 7
    for result in results:
        same(result.detections, detector(path))
    assert [result.detections.path for result in results if result.detections] == [None] * 4 + [path] + [None] * 2


@pytest.mark.parametrize("images", ["photos", b"bytes", Path("photos"), np.zeros((4, 5, 3), np.uint8)])
def test_many_refuses_one_image(detector: yolodsc.Detector, images: Any) -> None:
    """Instead of the characters of a path, or the rows of an array."""
    with pytest.raises(ImageError, match="images: one image or folder; expected several images"):
        detector.many(images)


def test_results_of_many_are_short_in_a_console(detector: yolodsc.Detector, path: str) -> None:
    """The detections or the error, without arrays."""
    found, failed = detector.many([path, "missing.jpg"])

    assert repr(found) == f"ImageResult({found.detections!r})"
    assert repr(failed) == "ImageResult(missing.jpg: no such file)"


def test_one_bad_image_of_many_is_an_error_of_its_own(detector: yolodsc.Detector, path: str) -> None:
    """The others go on; the error says which."""
    first, second, third = detector.many([b"no image", np.zeros((2, 2), np.float32), path])

    assert "image 1: cannot be read as an image" in str(first.error)
    assert "image 2: array of float32 (2, 2); expected uint8" in str(second.error)
    assert third.detections


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"\xff\xd8\xff damaged", "image: cannot be read"),
        (io.StringIO("text"), "image: gives str; expected a file that is open for reading bytes"),
        (np.zeros((0, 5, 3), np.uint8), "expected uint8"),
        (Tensor(np.zeros((5, 5, 3), np.float32)), r"tensor of shape \(5, 5, 3\); expected"),
        ("missing.jpg", "missing.jpg: .*no such file"),
        (None, "image: an object of type NoneType; expected a path, URL, bytes, open file, Pillow image, array or tensor"),
        (7, "image: an object of type int; expected a path"),
        (np.zeros((2, 4, 5, 3), np.uint8), r"image: a batch of shape \(2, 4, 5, 3\); expected one image, or a call of `many`"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(detector: yolodsc.Detector, image: Any, message: str) -> None:
    """Whatever it is."""
    with pytest.raises(ImageError, match=message):
        detector(image)


def test_exif_is_followed_in_memory_as_in_files(tmp_path: Path, image: NDArray[np.uint8]) -> None:
    """Bytes, files and Pillow's images turn under profiles that turn, and only there."""
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(image).save(tmp_path / "a.png", exif=exif)
    for profile, size in (("opencv", (96, 128)), ("alexeyab", (128, 96))):
        with yolodsc.load("dsc-fastest-voc", profile=profile) as detector:
            for given in (str(tmp_path / "a.png"), (tmp_path / "a.png").read_bytes(), Image.open(tmp_path / "a.png")):
                found = detector(given)
                assert (found.width, found.height) == size


def test_options_hold_for_one_call(detector: yolodsc.Detector, path: str) -> None:
    """Threshold, classes and number; the detector keeps its own."""
    everything = detector(path)
    middle = float(np.median(everything.scores))
    name = everything[0].name

    above = detector(path, thresh=middle)
    (result,) = detector.many([path], thresh=middle)

    assert 0 < len(above) < len(everything)
    assert (above.scores > middle).all()
    assert result.detections is not None
    assert len(result.detections) == len(above)
    assert set(detector(path, classes=[name]).class_names()) == {name}
    np.testing.assert_array_equal(detector(path, max_detections=2).scores, everything.scores[:2])
    assert len(detector(path)) == len(everything)


def test_nms_holds_for_one_call(detector: yolodsc.Detector, path: str) -> None:
    """1 keeps all boxes."""
    everything, usual, least = (len(detector(path, nms=nms, thresh=0.0003)) for nms in (1.0, 0.45, 0.0))

    assert everything > usual > least


def test_agnostic_suppression_crosses_classes(detector: yolodsc.Detector, path: str) -> None:
    """It equals the plain greedy loop over the best class of every box."""
    candidates = detector(path, nms=1.0, thresh=0.001)
    _, first = np.unique(candidates.candidate_ids, return_index=True)
    rows = candidates[np.sort(first)]  # each box once, with its best class
    kept: list[int] = []
    for row in range(len(rows)):
        if all(_diou(rows.boxes_xyxy[row], rows.boxes_xyxy[other], rows) <= 0.45 for other in kept):
            kept.append(row)

    found = detector(path, agnostic=True, thresh=0.001)

    assert len(found) < len(detector(path, thresh=0.001))
    assert found.candidate_ids is not None
    assert rows.candidate_ids is not None
    assert found.candidate_ids.tolist() == rows.candidate_ids[kept].tolist()


def test_agnostic_suppression_of_chosen_classes_ignores_the_others(detector: yolodsc.Detector, path: str) -> None:
    """A box of another class suppresses nothing."""
    low = 0.0005
    all_names, left = (set(detector(path, thresh=low, agnostic=agnostic).class_names()) for agnostic in (False, True))
    suppressed = sorted(all_names - left)

    for name in suppressed:
        assert set(detector(path, thresh=low, classes=name, agnostic=True).class_names()) == {name}
    assert suppressed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"thresh": 2.0}, r"^thresh=2: expected 0 to 1"),
        ({"thresh": "high"}, r"^thresh='high': expected 0 to 1"),
        ({"max_detections": 1.5}, r"^max_detections=1.5: expected 0 or more"),
        ({"nms": -1.0}, r"^nms=-1: expected 0 to 1"),
        ({"classes": "nosuch"}, r"^classes=nosuch: unknown class"),
        ({"classes": []}, r"^classes: empty list"),
        ({"max_detections": -1}, r"^max_detections=-1: expected 0 or more"),
    ],
)
def test_errors_speak_python(detector: yolodsc.Detector, path: str, options: Any, message: str) -> None:
    """They name the parameter and no option of the command line."""
    with pytest.raises(OptionError, match=message):
        detector(path, **options)
    with pytest.raises(OptionError, match=message):
        detector.many([path], **options)


def _diou(first: NDArray[Any], second: NDArray[Any], rows: yolodsc.Detections) -> float:
    """The overlap of ``greedynms`` on relative boxes, with exponent 0.6."""
    sides = np.array([rows.width, rows.height] * 2)
    a, b = first / sides, second / sides
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.prod(np.maximum(high - low, 0))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common
    diagonal = ((np.maximum(a[2:], b[2:]) - np.minimum(a[:2], b[:2])) ** 2).sum()
    distance = (((a[:2] + a[2:]) / 2 - (b[:2] + b[2:]) / 2) ** 2).sum()
    return float(common / union - (distance / diagonal) ** 0.6)
