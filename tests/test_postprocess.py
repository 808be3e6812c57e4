"""Boxes decoded and suppressed by kernels: the bits of `Head.decode` and ``network.nms``."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import GOLDEN
from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.detection.detections import Detections
from yolodsc.detection.detector import Detector
from yolodsc.detection.postprocess import workspace
from yolodsc.detection.postprocess.decoding import HeadDecoding
from yolodsc.engine import Runner
from yolodsc.images import Placement
from yolodsc.network import Candidates, nms, nms_exponent

HEADS = ("yolo-v3", "yolo-v4", "yolo-diounms", "yolo-new-coords", "gaussian-yolo", "region-v2")
OTHERS = ("detection-v1", "region-v2-nosoftmax")
LETTERBOX = Placement((1.0, 0.75), (0.0, 0.125))


@pytest.fixture(autouse=True)
def compiled() -> None:
    """The kernels, so that no image goes through NumPy."""
    for kernel in workspace.DECODING_KERNELS:
        kernel.load()


def detector(name: str, *, isa: str | None = None, folder: str = "micro", **options: object) -> Detector:
    """A detector of a golden network."""
    stem = GOLDEN / folder / name
    return Detector.from_files(f"{stem}.cfg", f"{stem}.weights", threads=1, streams=1, isa=isa, **options)


def decoded(detect: Detector, raw: dict[int, Array], placement: Placement) -> tuple[Detections, Candidates]:
    """What the pipeline makes of the inputs of the heads."""
    with detect.decoding.maps() as maps:
        for index, array in raw.items():
            maps.outputs[index][:] = array
        post = detect.pipeline.postprocessor
        return detect.decoding(detect.runner, maps, post, placement, width=640, height=480, path="a.jpg")


def reference(detect: Detector, raw: dict[int, Array], placement: Placement) -> tuple[Detections, Candidates]:
    """The same by `Head.decode` and ``network.nms``."""
    post = detect.pipeline.postprocessor
    outputs = detect.decoding.head_outputs(detect.runner, raw)
    with np.errstate(invalid="ignore"):  # infinite sizes times the offset 0 of a centre
        candidates = post.candidates(outputs, placement, width=640, height=480)
    return post.detections(candidates, width=640, height=480, path="a.jpg"), candidates


def equal(one: object, other: object, names: str) -> bool:
    """Whether arrays are equal to the bit."""
    pairs = [(getattr(one, name), getattr(other, name)) for name in names.split()]
    return all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)


def assert_same(detect: Detector, raw: dict[int, Array], placement: Placement) -> int:
    """Compare both ways; the number of detections."""
    (found, candidates), (expected, before) = decoded(detect, raw, placement), reference(detect, raw, placement)
    assert equal(candidates, before, "boxes_xywh objectness probabilities")
    assert equal(found, expected, "boxes_xyxy scores objectness class_ids candidate_ids")
    assert (found.path, found.width, found.height, found.names) == ("a.jpg", 640, 480, expected.names)
    return len(found)


def random_maps(detect: Detector, seed: int, *, scale: float = 3.0) -> dict[int, Array]:
    """Inputs of the heads, with the numbers that break comparisons among them."""
    rng = np.random.default_rng(seed)
    maps = {}
    for index in detect.decoding.outputs:
        array = (scale * rng.standard_normal(detect.network.layers[index].shape)).astype(np.float32)
        array.reshape(-1)[rng.integers(0, array.size, 6)] = [np.nan, np.inf, -np.inf, 0.0, 100.0, -104.0]
        maps[index] = array
    return maps


@pytest.mark.slow
@pytest.mark.parametrize("isa", [None, "none"])
@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("placement", [Placement(), LETTERBOX], ids=["stretched", "letterboxed"])
def test_kernels_decode_as_the_heads_do(name: str, placement: Placement, isa: str | None) -> None:
    """Candidates and detections have the same bits, whatever the threshold, with fused kernels and with FastDSC."""
    detect = detector(name, isa=isa)
    counts = []

    for seed, (thresh, overlap) in enumerate([(0.25, 0.45), (0.005, 0.45), (0.0, 0.6), (0.5, 0.0), (1.0, 1.0), (0.9, 0.3)]):
        detect.thresh, detect.nms_thresh = thresh, overlap
        counts.append(assert_same(detect, random_maps(detect, seed), placement))

    assert detect.decoding.heads
    assert counts[1] > counts[0] > 0
    detect.close()


@pytest.mark.parametrize("name", OTHERS)
def test_heads_without_kernels_are_decoded_by_themselves(name: str) -> None:
    """Their scores are not bounded by an objectness that is known before the activation."""
    detect = detector(name, thresh=0.1)

    assert not detect.decoding.heads
    assert detect.decoding.outputs == tuple(head.index for head in detect.network.heads)
    assert assert_same(detect, random_maps(detect, 1), Placement())
    detect.close()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), scale=st.floats(0.01, 30), thresh=st.floats(0, 1), overlap=st.floats(0, 1))
def test_any_feature_maps_are_decoded_alike(seed: int, scale: float, thresh: float, overlap: float) -> None:
    """Two heads and greedynms, at any threshold."""
    detect = _shared()
    detect.thresh, detect.nms_thresh = thresh, overlap

    assert_same(detect, random_maps(detect, seed, scale=scale), LETTERBOX)


def _shared(_made: list[Detector] = []) -> Detector:  # noqa: B006
    if not _made:
        _made.append(detector("yolo-v4"))
    return _made[0]


@pytest.mark.parametrize("thresh", [0.0, 1e-38, 1e-30, 1e-6, 0.005, 0.24, 0.25, 0.5, 0.9, 0.999999, 1.0])
@pytest.mark.parametrize("isa", [None, "none"])
def test_the_limit_of_a_logit_excludes_no_box(thresh: float, isa: str | None) -> None:
    """Every logit whose logistic exceeds the threshold exceeds the limit, for each backend's logistic."""
    detect = detector("yolo-v3", isa=isa)
    layout = detect.decoding.heads[0]
    middle = float(np.clip(np.log(max(thresh, 1e-45)) - np.log1p(-min(thresh, 1 - 1e-7)), -110, 20))
    near = (middle + np.linspace(-0.01, 0.01, 4001)).astype(np.float32)
    logits = np.concatenate([near, np.linspace(-110, 110, 4191).astype(np.float32)])
    x, y = (np.zeros((layout.entries, 8192), np.float32) for _ in range(2))
    x[layout.objectness] = logits

    detect.runner.activation(layout.head, x, y)(8192)

    exceeding = y[layout.objectness] > np.float32(thresh)
    assert (logits[exceeding] > layout.limit(thresh)).all()
    assert exceeding.any() == (thresh < 1)
    detect.close()


@pytest.mark.parametrize("name", ["yolo-v4", "yolo-new-coords", "gaussian-yolo", "region-v2"])
def test_activations_of_a_few_boxes_are_those_of_the_head(name: str) -> None:
    """The head's output in the compiled network has the same bits."""
    detect = detector(name)
    x = np.random.default_rng(0).random(detect.network.input_shape).astype(np.float32)

    outputs = detect.head_outputs(x)

    with engine.compile(detect.network, threads=1) as runner:
        expected = runner(x)
    assert outputs.keys() == expected.keys()
    assert all(outputs[index].tobytes() == expected[index].tobytes() for index in expected)
    detect.close()


def crowd(count: int, seed: int, classes: int = 3) -> Candidates:
    """Boxes of which many overlap, some are equal and some empty."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 6, (count, 2)) / 6 + rng.normal(0, 0.02, (count, 2))
    boxes = np.concatenate([centres, rng.uniform(0.05, 0.3, (count, 2))], axis=1).astype(np.float32)
    boxes[::17] = boxes[0]
    boxes[5::23, 2] = 0
    probabilities = rng.choice(np.linspace(0.1, 0.9, 9), (count, classes)).astype(np.float32)
    probabilities[rng.random((count, classes)) < 0.4] = 0
    return Candidates(boxes, np.ones(count, np.float32), probabilities)


@pytest.mark.parametrize("kind", ["default", "greedynms", "diounms", "cornersnms"])
@pytest.mark.parametrize("beta", [0.6, 0.3, 1.0, 1.5])
@pytest.mark.parametrize("thresh", [0.0, 0.3, 0.45, 0.9])
def test_every_kind_of_suppression_is_that_of_numpy(kind: str, beta: float, thresh: float) -> None:
    """The bounds of the power decide as the power does."""
    candidates = crowd(160, seed=int(100 * thresh))
    rows, classes = map(np.ascontiguousarray, np.nonzero(candidates.probabilities))
    scores = -candidates.probabilities[rows, classes]
    exponent = int((nms_exponent(kind, beta) or 0) * 2**60)
    count = len(rows)
    boxes, numbers, ids = np.empty((count, 4), np.float32), np.empty((2, count), np.float32), np.empty((2, count), np.int64)

    kept = workspace._suppressed(
        scores.argsort(kind="stable"), np.array([0, 0, count]), rows, classes, scores, candidates.boxes_xywh, candidates.objectness,
        exponent, np.array([thresh, 640, 480], np.float32), np.empty(3, np.int64), np.empty(count, np.int64), boxes, numbers, ids,
    )  # fmt: skip

    expected = Detections.from_candidates(
        nms(candidates, kind=kind, thresh=thresh, beta=beta), names=("a", "b", "c"), width=640, height=480
    )
    assert 0 < len(expected) == kept
    assert boxes[:kept].tobytes() == expected.boxes_xyxy.tobytes()
    assert numbers[0, :kept].tobytes() == expected.scores.tobytes()
    assert ids[:, :kept].tolist() == [expected.class_ids.tolist(), expected.candidate_ids.tolist()]


@pytest.mark.parametrize("limit", [0, 5])
def test_what_kernels_leave_undecided_goes_through_numpy(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """More scores than their buffers hold, as well."""
    monkeypatch.setattr(workspace, "MAX_ENTRIES", limit)
    detect = detector("yolo-diounms", thresh=0.005)

    assert assert_same(detect, random_maps(detect, 3), Placement()) > limit
    detect.close()


def test_exponents_that_no_kernel_computes_go_through_numpy() -> None:
    """A beta_nms of 0 or 2 is a legal number."""
    for beta, compiled in ((0.6, True), (0.0, False), (2.0, False), (1.5, True)):
        network = detector("yolo-diounms").network
        text = network.cfg.format().replace("beta_nms=0.6", f"beta_nms={beta}")
        assert _decoding(text, network.weights)._exponent is not None or not compiled
        assert (_decoding(text, network.weights)._exponent is None) != compiled


def _decoding(text: str, weights: object) -> HeadDecoding:
    from yolodsc.darknet import parse_cfg
    from yolodsc.network import Network

    return HeadDecoding(Network.build(parse_cfg(text)).with_weights(weights))


def test_no_kernels_are_compiled_for_a_few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy decodes them with the same result, until enough images have come."""
    detect = detector("yolo-v3")
    raw = random_maps(detect, 0)
    answers = iter([False, False, True])
    monkeypatch.setattr(HeadDecoding, "_compiled", property(lambda _: next(answers)))

    results = [decoded(detect, raw, Placement())[0] for _ in range(3)]

    assert all(equal(results[0], result, "boxes_xyxy scores class_ids candidate_ids") for result in results)
    with detect.decoding.maps() as maps:
        assert maps.space is not None
    detect.close()


def test_outputs_of_the_wrong_shape_are_refused() -> None:
    """Kernels read them by address."""
    detect = detector("yolo-v3")
    head = detect.decoding.heads[0].head
    runner: Runner = detect.runner
    good, bad = np.zeros((10, 32), np.float32), np.zeros((10, 24), np.float32)

    with pytest.raises(ValueError, match="expected equal shapes in C order"):
        runner.activation(head, good, bad)
    with pytest.raises(ValueError, match="expected equal shapes in C order"):
        runner.activation(head, good[:, ::2], good[:, ::2])
    with pytest.raises(ValueError, match="image of shape"):
        runner.run_into(np.zeros((3, 2, 2), np.float32), {})
    detect.close()


def test_classes_limits_and_agnostic_suppression_reach_both_ways(tmp_path: Path) -> None:
    """The options of a call give what they give without kernels."""
    detect = detector("yolo-v4", thresh=0.01)
    x = np.random.default_rng(2).integers(0, 256, (48, 64, 3), np.uint8)
    full = detect(x)

    assert len(full) > 3
    assert equal(detect(x, max_detections=3), full[:3], "boxes_xyxy scores class_ids")
    assert set(detect(x, classes=[1]).class_ids) <= {1}
    assert len(detect(x, agnostic=True)) <= len(full)
    detect.close()
