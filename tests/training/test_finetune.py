"""The loop: what a student learns from, checkpoints, the command line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.networks import network
from tests.training.scenes import REGION, STUDENT, YOLO, student, teacher, write_images
from yolodsc.cli import run
from yolodsc.darknet.profile import ALEXEYAB
from yolodsc.errors import OptionError, YolodscError
from yolodsc.images.image import Geometry, fit, read_image
from yolodsc.network.network import Network
from yolodsc.network.reference.convolution import convolution
from yolodsc.training.data.augment import Augmentation
from yolodsc.training.data.batches import Batch
from yolodsc.training.data.labels import read_labels
from yolodsc.training.finetune.objective import Objective
from yolodsc.training.finetune.settings import FinetuneSettings
from yolodsc.training.finetune.teacher import Teacher, features
from yolodsc.training.finetune.trainer import Trainer
from yolodsc.training.model.initial import initialize_weights
from yolodsc.training.optimization.checkpoint import CHECKPOINT_FILE

pytestmark = pytest.mark.slow

PLAIN = Augmentation(flip=False, jitter=0, hue=0, saturation=1, exposure=1)
SHORT = FinetuneSettings(epochs=2, batch=4, rate=1e-3, labels=1.0, warmup=0, average=0.9)


def trainer(
    folder: Path, paths: list[str], *, settings: FinetuneSettings = SHORT, threads: int = 1, resume: bool = False
) -> Trainer:
    """A student, its teacher, and ten images."""
    labels, _ = read_labels(paths, classes=2)
    return Trainer(
        student(), settings, paths=paths, labels=labels, teacher=teacher(), folder=folder, threads=threads, resume=resume
    )


def trained(folder: Path, paths: list[str], **options: object) -> Network:
    """The network at the end."""
    own = trainer(folder, paths, **options)  # type: ignore[arg-type]
    try:
        return own.run().network
    finally:
        own.close()


def equal(a: Network, b: Network) -> bool:
    """Whether all arrays are the same to the bit."""
    pairs = [(a.weights[i][name], b.weights[i][name]) for i, own in enumerate(a.weights) for name in own]
    return all(np.array_equal(x, y) for x, y in pairs)


def test_a_training_is_reproducible_whatever_the_threads(tmp_path: Path) -> None:
    """To the bit; another seed gives another network."""
    paths = write_images(tmp_path, 10)

    first = trained(tmp_path / "a", paths)

    assert equal(first, trained(tmp_path / "b", paths, threads=3))
    assert not equal(first, trained(tmp_path / "c", paths, settings=replace(SHORT, seed=1)))


@pytest.mark.parametrize("after", [1, 2, 3])
def test_an_interrupted_training_gives_the_same_network(tmp_path: Path, after: int) -> None:
    """Wherever it was interrupted: within an epoch, or at its end."""
    paths = write_images(tmp_path, 10)
    whole = trained(tmp_path / "whole", paths)

    own = trainer(tmp_path / "parts", paths)
    with pytest.raises(KeyboardInterrupt):
        own.run(progress=lambda step, loss: own.stop() if step == after else None)
    own.close()
    again = trainer(tmp_path / "parts", paths, resume=True)
    result = again.run()
    again.close()

    assert equal(result.network, whole)
    assert [entry["epoch"] for entry in result.history.epochs] == [1, 2]


def test_a_training_is_resumed_only_by_the_same_options(tmp_path: Path) -> None:
    """And only where there is one."""
    paths = write_images(tmp_path, 6)
    trained(tmp_path / "a", paths)

    with pytest.raises(OptionError, match="other options, networks or images"):
        trainer(tmp_path / "a", paths, settings=replace(SHORT, rate=1e-4), resume=True)
    with pytest.raises(OptionError, match="no checkpoint"):
        trainer(tmp_path / "b", paths, resume=True)
    (tmp_path / "a" / CHECKPOINT_FILE).write_bytes(b"torn")
    with pytest.raises(OptionError, match=r"not an \.npz file"):
        trainer(tmp_path / "a", paths, resume=True)


@pytest.mark.parametrize(
    "changed",
    [
        {"average": 0.0},
        {"clip": 0.01},
        {"clip": 0.0, "rate": 0.05},
        {"warmup": 1.0},
        {"decay": 0.5},
        {"features": 0.0},
        {"heads": 0.5},
        {"labels": 0.5},
        {"schedule": "steps"},
        {"optimizer": "sgd"},
        {"momentum": 0.5},
        {"augmentation": replace(PLAIN, hue=0.3)},
        {"augmentation": replace(PLAIN, flip=True)},
    ],
    ids=str,
)
def test_every_setting_decides(tmp_path: Path, changed: dict[str, object]) -> None:
    """Whatever is set otherwise, another network comes out."""
    paths = write_images(tmp_path, 8)
    settings = replace(SHORT, augmentation=PLAIN, clip=0.05)

    first = trained(tmp_path / "a", paths, settings=settings)

    assert not equal(first, trained(tmp_path / "b", paths, settings=replace(settings, **changed)))  # type: ignore[arg-type]


def test_what_is_saved_is_the_average_of_the_steps(tmp_path: Path) -> None:
    """With weights that count less, the longer ago; without an average, the last."""
    paths = write_images(tmp_path, 8)
    settings = replace(SHORT, average=0.75)
    own = trainer(tmp_path / "a", paths, settings=settings)
    seen = [own._model.network()]

    result = own.run(progress=lambda step, loss: seen.append(own._model.network()))

    own.close()
    expected = seen[0].weights[0]["weights"].astype(np.float64)
    for step, present in enumerate(seen[1:], 1):
        kept = min(0.75, step / (step + 10))  # the first ones are soon forgotten
        expected = kept * expected + (1 - kept) * present.weights[0]["weights"]
    last = trained(tmp_path / "b", paths, settings=replace(SHORT, average=0))
    assert len(seen) == 5
    np.testing.assert_allclose(result.network.weights[0]["weights"], expected, atol=1e-6)
    np.testing.assert_array_equal(last.weights[0]["weights"], seen[-1].weights[0]["weights"])


def test_images_are_fitted_as_requested(tmp_path: Path) -> None:
    """Stretched and letterboxed ones make different networks, and a checkpoint of one is not gone on with as the other."""
    paths = write_images(tmp_path, 4)
    labels, _ = read_labels(paths, classes=2)

    def of(folder: str, geometry: Geometry, *, resume: bool = False) -> Trainer:
        return Trainer(student(), SHORT, paths=paths, labels=labels, folder=tmp_path / folder, geometry=geometry, resume=resume)

    runs = [of("a", "stretch"), of("b", "letterbox")]
    results = [own.run().network for own in runs]
    for own in runs:
        own.close()

    assert not equal(*results)
    with pytest.raises(OptionError, match="of a training with other options"):
        of("a", "letterbox", resume=True)


def test_without_anything_to_learn_nothing_is_trained(tmp_path: Path) -> None:
    """Heads and maps with a weight of 0, and no labels."""
    paths = write_images(tmp_path, 2)

    with pytest.raises(OptionError, match="nothing to learn from"):
        trainer(tmp_path / "a", paths, settings=replace(SHORT, heads=0, features=0, labels=0))


def test_a_student_comes_closer_to_its_teacher(tmp_path: Path) -> None:
    """By heads and by maps."""
    paths = write_images(tmp_path, 16)

    own = trainer(tmp_path, paths, settings=replace(SHORT, epochs=30, batch=8, rate=5e-3, labels=0))
    epochs = own.run().history.epochs
    own.close()

    assert own.parts == ("the teacher's heads", "1 of its feature maps")
    assert epochs[-1]["heads"] < 0.5 * epochs[0]["heads"]
    assert epochs[-1]["features"] < 0.8 * epochs[0]["features"]


def test_scratch_learns_the_labels(tmp_path: Path) -> None:
    """From random weights and without a teacher, the boxes of the images are found."""
    paths = write_images(tmp_path, 24)
    labels, _ = read_labels(paths, classes=2)
    settings = replace(SHORT, epochs=150, batch=8, rate=1e-2, average=0.98)

    own = Trainer(initialize_weights(student(), seed=0), settings, paths=paths, labels=labels, folder=tmp_path, threads=2)
    epochs = own.run().history.epochs
    own.close()

    assert epochs[-1]["labels"] < 0.3 * epochs[0]["labels"]


def test_live_statistics_end_as_the_final_weights_make_them(tmp_path: Path) -> None:
    """Twice the same, and near those of the images."""
    paths = write_images(tmp_path, 8)
    settings = replace(SHORT, statistics="live", augmentation=PLAIN)

    first = trained(tmp_path / "a", paths, settings=settings)

    assert equal(first, trained(tmp_path / "b", paths, settings=settings, threads=2))
    images = np.stack([fit(read_image(path), first.input_shape, profile=ALEXEYAB, geometry="stretch")[0] for path in paths])
    kernel = first.weights[0]["weights"]
    geometry = {"groups": 1, "stride_y": 2, "stride_x": 2, "padding": 1, "dilation": 1}
    numbers = np.stack([convolution(x, kernel, **geometry) for x in images])
    np.testing.assert_allclose(first.weights[0]["rolling_mean"], numbers.mean(axis=(0, 2, 3)), atol=0.02)


def test_hint_layers_pair_feature_maps_of_decomposed_networks() -> None:
    """Whatever the number of convolutions between them; networks of other shapes have no pairs."""
    (pair,) = features(student(), teacher())

    assert (pair.student, pair.teacher) == (3, 2)
    assert features(student(), teacher().resized(64, 64)) == ()


def test_feature_maps_with_all_channels_remain_hints_of_pruned_networks() -> None:
    """Those of the layers whose filters were pruned have no counterpart; the others do."""
    block = "convolutional filters=8 size=3 pad=1 activation=leaky\nmaxpool size=2 stride=2\n"
    whole, pruned = (network(first + block + YOLO.lstrip(), height=32, width=32) for first in (block, block.replace("8", "5", 1)))

    assert [(pair.student, pair.teacher) for pair in features(pruned, whole)] == [(3, 3)]


def test_where_heads_differ_boxes_are_labels() -> None:
    """The teacher's boxes serve, but for objects that are labelled."""
    own = student(REGION)
    with_boxes = _sure(teacher())
    guide = Teacher(with_boxes, own, threads=1)
    images = np.zeros((2, 3, 32, 32), np.float32)
    objective = Objective(own, guide, FinetuneSettings())
    (box,) = guide.boxes(guide(images[:1]), [np.zeros((0, 5), np.float32)])

    labels = [np.zeros((0, 5), np.float32), box.copy()]
    added = guide.boxes(guide(images), labels)

    assert guide.heads == ()
    assert objective.parts == ("1 of its feature maps", "the teacher's boxes")
    assert len(box) >= 1
    assert [len(rows) for rows in added] == [len(box), len(box)]
    loss = objective(Batch(0, images, labels), {i: np.zeros((2, *own.layers[i].shape), np.float32) for i in objective.outputs})
    assert loss.parts["labels"] > 0


def test_heads_that_are_not_trained_here_can_tell_boxes() -> None:
    """A [yolo] with new_coords: no logits to copy, boxes all the same, and none beyond the image."""
    other = _sure(teacher(YOLO.replace("scale_x_y=1.1", "scale_x_y=2 new_coords=1")))
    raw = other.heads[0].sources[0]
    other.weights[raw]["biases"][:7] = 0.5, 0.5, 0.9, 0.9, 0.8, 0.9, 0.1  # new_coords: already logistic

    guide = Teacher(other, student(), threads=1)
    (box,) = guide.boxes(guide(np.zeros((1, 3, 32, 32), np.float32)), [np.zeros((0, 5), np.float32)])

    low, high = box[:, 1:3] - box[:, 3:] / 2, box[:, 1:3] + box[:, 3:] / 2
    assert guide.heads == ()
    assert len(box) > 1
    assert low.min() > -1e-6
    assert high.max() < 1 + 1e-6


def _sure(network: Network) -> Network:
    """A network that sees an object in every cell, whatever the image."""
    weights = [dict(own) for own in network.weights]
    raw = network.heads[0].sources[0]
    weights[raw] = {"weights": np.zeros_like(weights[raw]["weights"]), "biases": np.zeros_like(weights[raw]["biases"])}
    weights[raw]["biases"][[4, 5]] = 6
    return network.with_weights(weights)


def test_a_teacher_must_know_the_same_classes() -> None:
    """One line says how many."""
    other = teacher(YOLO.replace("classes=2", "classes=3").replace("filters=14", "filters=16"))

    with pytest.raises(OptionError, match="teacher: 3 classes; expected 2"):
        Teacher(other, student(), threads=1)


def test_a_loss_that_explodes_ends_the_training(tmp_path: Path) -> None:
    """With advice, and without touching what is on disk."""
    paths = write_images(tmp_path, 8)

    with pytest.raises(YolodscError, match="expected a lower rate than 1e\\+30"):
        trained(tmp_path / "a", paths, settings=replace(SHORT, rate=1e30, epochs=20, optimizer="sgd", clip=0))
    assert not list((tmp_path / "a").glob("*.weights"))


def _files(folder: Path) -> tuple[list[str], list[str]]:
    """The pair of student and teacher on disk."""
    student().save(folder / "s.cfg", folder / "s.weights")
    teacher().save(folder / "t.cfg", folder / "t.weights")
    (folder / "s.names").write_text("red\nblue\n")
    return [str(folder / "s.cfg"), str(folder / "s.weights")], [str(folder / "t.cfg"), str(folder / "t.weights")]


def _voc(folder: Path, paths: list[str]) -> Path:
    """A VOC tree of the images."""
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    for number, path in enumerate(paths):
        (folder / "JPEGImages" / f"{number}.jpg").write_bytes(Path(path).read_bytes())
        box = "<bndbox><xmin>3</xmin><ymin>3</ymin><xmax>20</xmax><ymax>20</ymax></bndbox>"
        size = "<size><width>48</width><height>40</height><depth>3</depth></size>"
        thing = f"<object><name>red</name><difficult>0</difficult>{box}</object>"
        (folder / "Annotations" / f"{number}.xml").write_text(
            f"<annotation><filename>{number}.jpg</filename>{size}{thing}</annotation>"
        )
    (folder / "ImageSets/Main/val.txt").write_text("".join(f"{number}\n" for number in range(len(paths))))
    return folder


def test_the_command_writes_an_ordinary_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With names, curves and mAP; the next command reads it."""
    paths = write_images(tmp_path, 6)
    own, other = _files(tmp_path)
    tree = _voc(tmp_path / "voc", paths[:2])
    out = tmp_path / "out"

    command = ["finetune", "--student", *own, "--teacher", *other, "--images", str(tmp_path / "images"), "--labels"]
    code = run([*command, "--epochs", "2", "--batch", "3", "--out", str(out), "--val", f"{tree}:val", "--name", "new"])

    assert code == 0
    assert "mAP" in capsys.readouterr().out
    assert not equal(Network.load(out / "new.cfg", out / "new.weights"), student())
    assert (out / "new.names").read_text() == "red\nblue\n"
    history = json.loads((out / "history.json").read_text())
    assert [entry["epoch"] for entry in history["epochs"]] == [1, 2]
    assert history["settings"]["epochs"] == 2
    assert all(0 <= entry["map"] <= 1 for entry in history["epochs"])
    assert (out / "history.png").stat().st_size > 1000
    assert run([*command, "--out", str(out), "--name", "new"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert run([*command, "--out", str(out), "--name", "other"]) == 2
    assert "of another training" in capsys.readouterr().err


def test_a_cfg_without_weights_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Or without itself: the option names the file that is missing."""
    code = run(["finetune", "--student", "s.cfg", "--labels", "--images", "x", "--out", "y"])

    assert code == 2
    assert "--student s.cfg: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "nothing to learn from"),
        (["--labels", "--lr", "0"], "0: expected a number above 0"),
        (["--labels", "--epochs", "inf"], "inf: expected a number above 0"),
        (["--labels", "--decay", "nan"], "--decay nan: expected a number"),
        (["--labels", "--label-weight", "0"], "nothing to learn from"),
        (["--labels", "--names", "nowhere.names"], "nowhere.names: cannot be read"),
        (["--labels", "--names", __file__], "the network has 2 classes"),
        (["--labels", "--out", __file__], "is a file; expected a directory"),
        (["--labels", "--optimizer", "lion"], "lion: expected one of adam, sgd"),
        (["--labels", "--val", "nowhere"], "expected TREE:SET"),
        (["--labels", "--statistics", "none"], "expected frozen or live"),
        (["--labels", "--average", "1"], "1: expected 0 or more, less than 1"),
    ],
)
def test_bad_options_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str) -> None:
    """And exit code 2."""
    write_images(tmp_path, 2)
    own, _ = _files(tmp_path)

    code = run(["finetune", "--student", *own, "--images", str(tmp_path / "images"), "--out", str(tmp_path / "out"), *options])

    error = capsys.readouterr().err
    assert code == 2
    assert said in error
    assert error.count("\n") == 1


def test_another_size_trains_the_same_network(tmp_path: Path) -> None:
    """The pair keeps the size of the student's cfg; arrays that depend on the size are refused."""
    paths = write_images(tmp_path, 4)

    result = trained(tmp_path / "a", paths, settings=replace(SHORT, size=64))

    assert result.input_shape == student().input_shape

    fixed = network(STUDENT + "connected output=5 activation=linear", height=32, width=32)
    with pytest.raises(YolodscError, match="has weights for images of 32x32, not of 64x64"):
        fixed.resized(64, 64)
