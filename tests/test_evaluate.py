"""The command on published cases: what other programs said of the same detections."""

import json
import re
import tarfile

import pytest

from tests.test_metrics import BEST, naive_ap
from yolodsc.cli import run
from yolodsc.darknet.names import read_names
from yolodsc.evaluation.datasets.dataset import InputReport
from yolodsc.evaluation.datasets.formats import Format, read_detections, read_ground_truth
from yolodsc.evaluation.metrics import score_detections
from yolodsc.evaluation.metrics.rules import RULES


@pytest.fixture(scope="module")
def official(shared, tmp_path_factory):
    """The full annotations of VOC2007 with its image sets."""
    folder = tmp_path_factory.mktemp("voc")
    with tarfile.open(shared / "data/voc/official/VOC2007_Annotations_all.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    (folder / "VOC2007/ImageSets").symlink_to(shared / "data/voc/official/ImageSets")
    return folder / "VOC2007"


def evaluated(tmp_path, *arguments):
    """Run the command; its JSON."""
    assert run(["evaluate", *map(str, arguments), "--quiet", "--json", str(tmp_path / "out.json")]) == 0
    return json.loads((tmp_path / "out.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("case", ["voc07test_tinyyolo_qfdong", "voc07test_yolov3_zengyian"])
def test_full_voc_test_set_is_reproduced(case, official, shared, tmp_path):
    """Per-class AP of detections on 4,952 images, 11 points and all points."""
    with tarfile.open(shared / f"data/evalcases/{case}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    expected = json.loads((shared / f"data/evalcases/{case}.expected.json").read_text())["per_class"]

    rules = evaluated(tmp_path, "--voc", official, "--set", "test", "--detections", tmp_path / case)["rules"]

    for name, figures in expected.items():
        found = rules["py-faster-rcnn-07"]["classes"][name]
        assert found["ap"] == pytest.approx(figures["ap07_ours"], abs=1e-6)
        assert found["ap"] == pytest.approx(figures.get("ap07_published", found["ap"]), abs=3e-6)
        assert (found["positives"], found["detections"]) == (figures["npos"], figures["ndet"])
        assert rules["py-faster-rcnn"]["classes"][name]["ap"] == pytest.approx(figures["ap_area_ours"], abs=1e-6)


def test_coco_figures_are_reproduced(shared, tmp_path):
    """The twelve figures of COCO's own example."""
    folder = shared / "data/evalcases/coco_fakebbox100"
    expected = json.loads((folder / "expected.json").read_text())

    ground_truth = ("--gt", folder / "instances_val2014_100.json", "--format", "coco")
    rules = evaluated(tmp_path, *ground_truth, "--detections", folder / "fakebbox100_results.json")["rules"]

    for name, value in zip(expected["keys"], expected["bbox"], strict=True):
        assert rules["coco"][name] == pytest.approx(value, abs=1e-6)


def test_cartucho_folders_are_reproduced(shared, tmp_path):
    """Text files of Cartucho's example."""
    folder = shared / "data/evalcases/cartucho85"
    expected = json.loads((folder / "computed_by_us.json").read_text())

    files = ("--gt", folder / "ground-truth", "--detections", folder / "detection-results", "--format", "cartucho")
    found = evaluated(tmp_path, *files)["rules"]["cartucho"]

    assert found["mean_ap"] == pytest.approx(expected["mAP"], abs=1e-6)


@pytest.mark.parametrize("iou", ["0.1", "0.3", "0.5", "0.75"])
def test_toy_of_object_detection_metrics_is_reproduced(iou, shared, tmp_path):
    """Rafaelpadilla's example, both interpolations; his eleven points are NumPy's."""
    folder = shared / "data/evalcases/odm_toy"
    expected = json.loads((folder / "expected.json").read_text())

    files = ("--gt", folder / "gts", "--detections", folder / "dets", "--format", "rafael")
    rules = evaluated(tmp_path, *files, "--iou", iou)["rules"]

    assert rules["py-faster-rcnn-07"]["mean_ap"] == pytest.approx(expected["11point"][iou], abs=1e-6)
    assert rules["voc10"]["mean_ap"] == pytest.approx(expected["every_point"][iou], abs=1e-6)
    assert rules["voc10"]["iou"] == [float(iou)]
    assert len(rules["coco"]["iou"]) == 10


@pytest.mark.parametrize(("iou", "eleven", "every"), [(".5", 88.64, 89.58), (".75", 49.24, 50.97)])
def test_toy_example_of_the_companion_toolkit_is_reproduced(iou, eleven, every, shared, tmp_path):
    """XML ground truth, text detections; AP of cats as the toolkit's README prints it (Padilla et al., Electronics 2021)."""
    folder = shared / "data/evalcases/rafael_toyexample"

    files = ("--gt", folder / "gts_vocpascal_format", "--detections", folder / "dets_classname_abs_xyx2y2", "--format", "rafael")
    rules = evaluated(tmp_path, *files, "--iou", iou)["rules"]

    assert 100 * rules["voc07"]["mean_ap"] == pytest.approx(eleven, abs=0.005)
    assert 100 * rules["voc10"]["mean_ap"] == pytest.approx(every, abs=0.005)
    assert list(rules["voc10"]["classes"]) == ["cat"]


def test_every_rule_equals_its_loop_on_a_hundred_images(shared, tmp_path):
    """Twenty classes given by number, beside the oracles of the rules."""
    folder = shared / "data/evalcases/rafael_voc100"
    form = Format(name="rafael", names=read_names(folder / "voc.names"))
    dataset = read_ground_truth(folder / "gts_pascalvoc_format", form, InputReport())
    found, _ = read_detections(folder / "dets_abs_xyx2y2", dataset, form, InputReport())
    ground_truth = dataset.ground_truth
    objects = list(
        zip(ground_truth.image, ground_truth.class_id, ground_truth.boxes_xyxy.tolist(), ground_truth.difficult, strict=True)
    )
    rows = list(zip(found.image, found.class_id, found.boxes_xyxy.tolist(), found.score, strict=True))

    results = score_detections([RULES[name] for name in BEST], ground_truth, found, classes=20, images=len(dataset.ids))

    assert (len(dataset.ids), len(found)) == (100, 452)
    for name, result in results.items():
        for class_id in range(20):
            assert result.classes[class_id].ap == pytest.approx(naive_ap(name, objects, rows, class_id), abs=1e-9)


@pytest.mark.slow
def test_missing_class_file_is_left_out_of_the_mean(shared, official, tmp_path):
    """A folder without the file of one class has a mean over nineteen."""
    with tarfile.open(shared / "data/evalcases/voc07test_yolov3_zengyian.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / "voc07test_yolov3_zengyian"
    (folder / "comp4_det_test_cow.txt").unlink()

    content = evaluated(tmp_path, "--voc", official, "--detections", folder)

    aps = [found["ap"] for found in content["rules"]["darknet"]["classes"].values()]
    assert content["missing"] == ["cow"]
    assert len(aps) == 19
    assert content["rules"]["darknet"]["mean_ap"] == pytest.approx(sum(aps) / 19)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["mobilenetv2-yolov3-nano-voc", "yololite-voc-trial3-bn"])
def test_darknets_own_map_is_reproduced(network, shared, tmp_path):
    """``detector map`` on 979 images: AP, TP and FP of every class, totals, mean and average IoU, to the last digit printed."""
    place = ("--voc", shared / "data/voc/VOCdevkit/VOC2007", "--set", "test", "--model", shared / "data/models" / network)

    content = evaluated(tmp_path, *place, "--threads", 2, "--rules", "darknet,darknet-11")
    rules, totals = content["rules"], content["headline"]

    for rule, points in (("darknet", 0), ("darknet-11", 11)):
        text = (shared / f"data/golden/voc_map/{network}_{points}.txt").read_text()
        printed = re.findall(r"name = (\S+), ap = ([\d.]+)%\s+\(TP = (\d+), FP = (\d+)\)", text)
        found = rules[rule]["classes"]
        assert [(name, f"{100 * c['ap']:.2f}", str(c["tp"]), str(c["fp"])) for name, c in found.items()] == printed
        assert f"= {rules[rule]['mean_ap']:.6f}, or" in text
        assert "precision = {precision:.2f}, recall = {recall:.2f}, F1-score = {f1:.2f}".format(**totals) in text
        assert "TP = {tp}, FP = {fp}, FN = {fn},".format(**totals) in text
        assert f"average IoU = {100 * rules[rule]['average_iou']:.2f} %" in text
