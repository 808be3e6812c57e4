"""The detection pipeline: the JPEG decoder as a parameter, and one path for detection and evaluation."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import GOLDEN
from yolodsc.darknet.profile import PROFILES
from yolodsc.detection.detections import Detections
from yolodsc.detection.detector import Detector
from yolodsc.detection.postprocess import HeadDecoding
from yolodsc.engine.runtime import cores
from yolodsc.errors import ImageError, OptionError
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport
from yolodsc.evaluation.datasets.formats import Format, read_ground_truth
from yolodsc.evaluation.datasets.journal import append_journal, resume_journal
from yolodsc.evaluation.inference import _array_order, run_inference
from yolodsc.images.image import DECODERS, read_image
from yolodsc.images.jpeg import kernels
from yolodsc.network.boxes import Candidates

STEM = GOLDEN / "micro/yolo-diounms"
with np.load(GOLDEN / "jpeg.npz") as _archive:
    STORED = dict(_archive)
LARGEST = max((name for name in STORED if f"{name}.rgb" in STORED), key=lambda name: STORED[f"{name}.rgb"].size)


def detector(**options: object) -> Detector:
    """A small network that reports many boxes."""
    return Detector.from_files(f"{STEM}.cfg", f"{STEM}.weights", thresh=0.01, **options)


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A JPEG, and beside it a PNG with the pixels that stb_image decodes."""
    path = tmp_path / "a.jpg"
    path.write_bytes(STORED[LARGEST].tobytes())
    Image.fromarray(STORED[f"{LARGEST}.rgb"]).save(tmp_path / "darknet.png")
    Image.open(path).convert("RGB").save(tmp_path / "fast.png")
    return path


def same(one: Detections, other: Detections) -> bool:
    """Whether the numbers of two results are equal."""
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("boxes_xyxy", "scores", "objectness", "class_ids")
    )


@pytest.mark.parametrize(
    ("profile", "decoder", "pixels"),
    [
        ("alexeyab", "auto", "darknet"),
        ("pjreddie", "auto", "darknet"),
        ("opencv", "auto", "fast"),
        ("alexeyab", "fast", "fast"),
        ("opencv", "darknet", "darknet"),
    ],
)
def test_the_decoder_decides_which_pixels_the_network_sees(profile: str, decoder: str, pixels: str, photograph: Path) -> None:
    """One image, many images and PNG files of the decoders' pixels give the same boxes; the other decoder gives others."""
    detect = detector(profile=PROFILES[profile], decoder=decoder)
    other = {"darknet": "fast", "fast": "darknet"}[pixels]

    found = detect(photograph)

    assert len(found)
    assert same(found, detect(photograph.with_name(f"{pixels}.png")))
    assert not same(found, detect(photograph.with_name(f"{other}.png")))
    (result,) = detect.many([str(photograph)])
    assert result.detections is not None
    assert same(found, result.detections)
    detect.close()


def test_an_unknown_decoder_is_one_line() -> None:
    """It names the parameter and the values."""
    with pytest.raises(OptionError, match=r"^decoder=slow: unknown; expected darknet, fast or auto$"):
        detector(decoder="slow")


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_both_decoders_turn_as_exif_says(decoder: str, channels: int, orientation: int, tmp_path: Path) -> None:
    """The pixels are those that the same decoder gives without turning."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif)
    plain = read_image(tmp_path / "a.jpg", channels=channels, decoder=decoder)

    turned = read_image(tmp_path / "a.jpg", channels=channels, decoder=decoder, exif=True)

    mirrored = plain[:, ::-1] if orientation in (2, 4, 5, 7) else plain
    expected = np.rot90(mirrored, {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}[orientation])
    np.testing.assert_array_equal(turned, expected)


def test_files_that_the_darknet_decoder_does_not_support_are_read_by_the_other(tmp_path: Path) -> None:
    """Such as JPEGs of four components; damaged files are reported by the other too."""
    Image.new("CMYK", (8, 6), (0, 80, 0, 0)).save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(STORED[LARGEST].tobytes()[:300])

    image = read_image(tmp_path / "a.jpg", decoder="darknet")

    np.testing.assert_array_equal(image, read_image(tmp_path / "a.jpg", decoder="fast"))
    with pytest.raises(ImageError, match=r"b\.jpg: cannot be read as an image"):
        read_image(tmp_path / "b.jpg", decoder="darknet")


def test_a_jpeg_is_known_by_its_content(photograph: Path) -> None:
    """Its name does not matter, as for stb_image."""
    renamed = photograph.rename(photograph.with_name("a.png"))

    np.testing.assert_array_equal(read_image(renamed, decoder="darknet"), STORED[f"{LARGEST}.rgb"])


def dataset_of(photograph: Path) -> Dataset:
    """One image with one object."""
    photograph.with_suffix(".txt").write_text("0 .5 .5 .5 .5\n")
    for other in photograph.parent.glob("*.png"):
        other.unlink()
    names = tuple(map(str, range(20)))
    return read_ground_truth(photograph.parent, Format(name="yolo", names=names, images=photograph.parent), InputReport())


def test_evaluation_and_detection_find_the_same(photograph: Path) -> None:
    """They share the pipeline; the evaluation only orders the rows as Darknet's array."""
    detect = detector()

    (scored,) = run_inference(dataset_of(photograph), detect)

    found = detect(photograph)
    rows = sorted(zip(scored.class_ids, scored.scores, scored.boxes, strict=True))
    boxes = found.boxes_xyxy.astype(np.float64).tolist()
    assert rows == sorted(zip(found.class_ids.tolist(), found.scores.astype(np.float64).tolist(), boxes, strict=True))
    detect.close()


def test_evaluation_decodes_once(photograph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The boxes of each image."""
    detect, calls = detector(), []
    decode = HeadDecoding.candidates
    monkeypatch.setattr(HeadDecoding, "candidates", lambda *a, **k: calls.append(1) or decode(*a, **k))

    list(run_inference(dataset_of(photograph), detect))

    assert calls == [1]
    detect.close()


def test_a_detection_knows_its_candidate(photograph: Path) -> None:
    """Score, objectness and box are those of its row."""
    detect = detector()

    (result,) = detect.many([str(photograph)])

    found, candidates = result.detections, result.candidates
    assert found is not None and candidates is not None and found.candidate_ids is not None
    assert len(found)
    rows = found.candidate_ids
    np.testing.assert_array_equal(candidates.probabilities[rows, found.class_ids], found.scores)
    np.testing.assert_array_equal(candidates.objectness[rows], found.objectness)
    np.testing.assert_array_equal(found[::-1].candidate_ids, rows[::-1])
    detect.close()


def test_candidates_of_equal_objectness_keep_their_places_in_darknets_array() -> None:
    """The last class sorts the array last, so it decides, also where objectness is the same."""
    boxes = np.float32([[0.2, 0.2, 0.1, 0.1], [0.5, 0.5, 0.1, 0.1], [0.8, 0.8, 0.1, 0.1]])
    probabilities = np.float32([[0.9, 0.0], [0.1, 0.3], [0.5, 0.2]])
    candidates = Candidates(boxes, np.float32([0.9, 0.9, 0.9]), probabilities)
    found = Detections.from_candidates(candidates, names=("a", "b"), width=10, height=10)

    ordered = found[_array_order(found, candidates)]

    assert ordered.candidate_ids.tolist() == [1, 1, 2, 2, 0]
    assert ordered.scores.tolist() == np.float32([0.3, 0.1, 0.5, 0.2, 0.9]).tolist()


class FakeKernel:
    """A kernel that is compiled when it is loaded."""

    def __init__(self, *, ready: bool) -> None:
        self.loaded, self._ready = 0, ready

    def ready(self) -> bool:
        """Whether it is compiled."""
        return self._ready

    def load(self) -> None:
        """Count."""
        self.loaded += 1


def test_the_compilation_of_the_decoder_is_reported() -> None:
    """Once, and only for kernels that are not in the cache."""
    said: list[tuple[int, int]] = []
    missing, cached = (FakeKernel(ready=False), FakeKernel(ready=False)), FakeKernel(ready=True)

    for _ in range(2):
        kernels.load((*missing, cached), lambda done, total: said.append((done, total)))

    assert said == [(0, 2), (1, 2), (2, 2)]
    assert [kernel.loaded for kernel in (*missing, cached)] == [1, 1, 0]


def test_a_detector_passes_its_progress_to_the_decoder(photograph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first JPEG reports what it compiles; here, every kernel looks as if it were missing."""
    said: list[tuple[int, int]] = []
    monkeypatch.setattr(kernels, "_LOADED", set())
    detect = detector(progress=lambda done, total: said.append((done, total)))
    said.clear()
    monkeypatch.setattr(type(kernels.joined), "ready", lambda kernel: False)

    detect(photograph)

    assert said
    assert said[-1] == (said[-1][1],) * 2
    detect.close()


@pytest.mark.parametrize(
    ("settings", "decoder"),
    [
        ({"profile": "alexeyab", "exif": False}, "darknet"),
        ({"profile": "alexeyab", "exif": True}, "fast"),
        ({"profile": "opencv", "exif": False}, "fast"),
    ],
)
def test_journals_that_do_not_name_the_decoder_are_continued(settings: dict[str, object], decoder: str, tmp_path: Path) -> None:
    """With the decoder that such runs had, and with no other."""
    path, settings = tmp_path / "detections.jsonl", {**settings, "names": ["a"], "origin": 0.0}
    with append_journal(path, settings):
        pass

    assert list(resume_journal(path, {**settings, "decoder": decoder})) == []
    other = {"darknet": "fast", "fast": "darknet"}[decoder]
    with pytest.raises(Exception, match=f'decoder: "{decoder}", now "{other}"'):
        resume_journal(path, {**settings, "decoder": other})


def test_default_detectors_use_all_cores(photograph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call gives all threads to one image, `many` one thread to each of as many images; the boxes are those of one thread."""
    monkeypatch.setattr(cores, "available_cores", lambda: 2)
    single, default = detector(threads=1, streams=1), detector()

    (result,) = default.many([str(photograph)])

    assert (default.runner.threads, default.runner.streams) == (2, 1)
    assert (default.many_runner.threads, default.many_runner.streams) == (1, 2)
    assert single.many_runner is single.runner
    assert result.detections is not None
    assert same(result.detections, single(photograph))
    assert same(default(photograph), single(photograph))
    single.close()
    default.close()


@pytest.mark.parametrize(("threads", "streams", "one", "many"), [
    (None, None, (6, 1), (1, 6)),
    (2, None, (2, 3), (2, 3)),
    (None, 2, (3, 2), (3, 2)),
    (None, 1, (6, 1), (6, 1)),
    (1, 1, (1, 1), (1, 1)),
    (4, 4, (4, 1), (4, 1)),
    (99, 99, (6, 1), (6, 1)),
])  # fmt: skip
def test_missing_counts_fill_the_cores(
    threads: int | None, streams: int | None, one: tuple[int, int], many: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads and streams together never exceed them."""
    monkeypatch.setattr(cores, "available_cores", lambda: 6)

    assert cores.one_image_counts(threads, streams) == one
    assert cores.default_counts(threads, streams) == many


@pytest.mark.parametrize(("files", "expected"), [
    ({"cpu.max": "150000 100000\n"}, 2),
    ({"cpu.max": "max 100000\n"}, 0),
    ({"cpu.cfs_quota_us": "100000\n", "cpu.cfs_period_us": "100000\n"}, 1),
    ({"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}, 0),
    ({"cpu.max": "damaged\n"}, 0),
    ({}, 0),
])  # fmt: skip
def test_quotas_of_control_groups_limit_the_cores(
    files: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of a core count as one; without a quota the affinity mask counts."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(cores, "CGROUP", tmp_path)

    assert cores.quota.__wrapped__() == expected


def test_results_keep_the_order_of_the_files(photograph: Path, tmp_path: Path) -> None:
    """Whichever image is ready first; images that cannot be read are reported at their position."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"nothing")
    small = tmp_path / "small.png"
    Image.new("RGB", (8, 8)).save(small)
    paths = [str(path) for path in (photograph, small, bad, small, photograph) * 6]

    with closing(detector(streams=2)) as detect:
        results = list(detect.many(paths))

    assert [result.path for result in results] == paths
    assert [result.error is not None for result in results] == [path == str(bad) for path in paths]
