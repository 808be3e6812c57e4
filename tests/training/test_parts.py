"""Optimizers, schedules, averages, augmentation, batches, labels."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.scenes import write_images
from yolodsc.arrays import Array, Shape
from yolodsc.darknet.profile import ALEXEYAB
from yolodsc.errors import DatasetError, OptionError
from yolodsc.images.image import fit
from yolodsc.training.data.augment import Augmentation, Crop, augmented, cropped, moved, recoloured, sharpened
from yolodsc.training.data.batches import Batches
from yolodsc.training.data.image_cache import ImageCache, training_images
from yolodsc.training.data.labels import read_labels
from yolodsc.training.model.parameter import Parameter
from yolodsc.training.optimization.average import WeightAverage
from yolodsc.training.optimization.optimizer import clip, optimizer_named
from yolodsc.training.optimization.schedule import Schedule

PLAIN = Augmentation(flip=False, jitter=0, hue=0, saturation=1, exposure=1)


def parameters() -> list[Parameter]:
    """Two arrays with gradients."""
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(shape).astype(np.float32) for shape in ((3, 2), (3, 2), (4,), (4,))]
    return [Parameter(0, "weights", arrays[0], arrays[1]), Parameter(0, "biases", arrays[2], arrays[3])]


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_optimizers_do_what_pytorchs_do(name: str) -> None:
    """Adam with decoupled decay, and momentum with decay in the gradient; biases don't decay."""
    torch = pytest.importorskip("torch", reason="needs PyTorch as the oracle of optimizers")
    own = parameters()
    theirs = [torch.tensor(p.value.copy(), requires_grad=True) for p in own]
    groups = [{"params": theirs[:1], "weight_decay": 0.05}, {"params": theirs[1:], "weight_decay": 0.0}]
    peer = torch.optim.AdamW(groups, lr=0.1) if name == "adam" else torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    optimizer = optimizer_named(name, own, decay=0.05, momentum=0.9)

    for step in range(5):
        for p, other in zip(own, theirs, strict=True):
            p.gradient[...] = np.cos(p.value * (step + 1))
            other.grad = torch.tensor(p.gradient.copy())
        rate = 0.1 / (step + 1)
        for group in peer.param_groups:
            group["lr"] = rate
        optimizer.step(rate=rate)
        peer.step()

    for p, other in zip(own, theirs, strict=True):
        np.testing.assert_allclose(p.value, other.detach().numpy(), rtol=2e-5, atol=2e-6)


def test_momentum_is_scaled_by_the_present_rate() -> None:
    """As in Darknet: v = .5 v - g, w += rate v."""
    (own, _) = parameters()
    sgd = optimizer_named("sgd", [own], decay=0, momentum=0.5)
    own.value[...], own.gradient[...] = 0, 1

    sgd.step(rate=0.1)
    sgd.step(rate=0.01)

    np.testing.assert_allclose(own.value, -(0.1 + 0.01 * 1.5), rtol=1e-6)


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_an_optimizer_goes_on_where_its_state_was_taken(name: str) -> None:
    """To the bit."""
    first, second = parameters(), parameters()
    one, two = (optimizer_named(name, p, decay=0.01, momentum=0.9) for p in (first, second))
    one.step(rate=0.1)
    for p, q in zip(first, second, strict=True):
        q.value[...] = p.value

    two.restore(one.state())
    one.step(rate=0.1)
    two.step(rate=0.1)

    for p, q in zip(first, second, strict=True):
        np.testing.assert_array_equal(p.value, q.value)


def test_an_unknown_optimizer_or_schedule_is_refused() -> None:
    """With what there is."""
    with pytest.raises(OptionError, match="adam, sgd"):
        optimizer_named("lion", [], decay=0, momentum=0)
    with pytest.raises(OptionError, match="cosine, steps"):
        Schedule("linear", 0.1, 10, 0)


def test_clipping_keeps_the_direction() -> None:
    """And leaves small gradients alone."""
    own = parameters()
    before = [p.gradient.copy() for p in own]

    norm = clip(own, max_norm=0.5)

    assert norm == pytest.approx(np.sqrt(sum((g**2).sum() for g in before)), rel=1e-5)
    np.testing.assert_allclose(own[0].gradient, before[0] * (0.5 / norm), rtol=1e-5)
    assert clip(own, max_norm=1.0) == pytest.approx(0.5, rel=1e-5)


def test_schedules_warm_up_and_fall() -> None:
    """Cosine to a hundredth, steps by tenths."""
    cosine, steps = Schedule("cosine", 1.0, 100, 10), Schedule("steps", 1.0, 100, 0)

    assert [cosine.at(step) for step in (0, 9)] == pytest.approx([0.1, 0.98], abs=0.01)
    assert cosine.at(99) == pytest.approx(0.01, abs=1e-3)
    assert all(cosine.at(s) >= cosine.at(s + 1) for s in range(10, 99))
    assert [steps.at(step) for step in (0, 79, 80, 90)] == pytest.approx([1, 1, 0.1, 0.01])


def test_an_average_lags_and_arrives() -> None:
    """Weights that stand still are reached; the first ones are soon forgotten."""
    own = parameters()
    average = WeightAverage(own, 0.9)
    own[0].value[...] = 7

    for _ in range(200):
        average.update()

    np.testing.assert_allclose(average.state()["0"], 7, rtol=1e-4)


def image_and_labels() -> tuple[np.ndarray, Array]:
    """An image of smooth colours with two objects."""
    y, x = np.mgrid[:60, :80]
    image = np.stack([x * 3, y * 4, (x + y)], axis=-1).astype(np.uint8)
    return image, np.array([[0, 0.5, 0.5, 0.4, 0.3], [3, 0.9, 0.1, 0.2, 0.2]], np.float32)


@pytest.mark.parametrize("geometry", ["stretch", "letterbox"])
def test_without_augmentation_the_network_sees_what_it_sees_in_detection(geometry: str) -> None:
    """To a level or two of brightness; objects stay where they are."""
    image, labels = image_and_labels()
    shape = Shape(3, 48, 48)

    found, moved_labels = augmented(
        image,
        labels,
        shape,
        how=PLAIN,
        geometry=geometry,
        random=np.random.default_rng(0),  # type: ignore[arg-type]
    )

    expected, placement = fit(image, shape, profile=ALEXEYAB, geometry=geometry)  # type: ignore[arg-type]
    inner = (slice(None), slice(8, 40), slice(2, 46))
    assert np.abs(found - expected)[inner].max() < 8 / 255
    np.testing.assert_allclose(placement.undo(moved_labels[:, 1:]), labels[:, 1:], atol=0.02)


def test_flipped_twice_is_the_image_itself() -> None:
    """And its objects."""
    image, labels = image_and_labels()
    crop = Crop(0, 0, 80, 60, mirrored=True)

    flipped = cropped(image, crop, Shape(3, 60, 80), geometry="stretch")
    back = cropped(flipped, crop, Shape(3, 60, 80), geometry="stretch")

    np.testing.assert_array_equal(flipped, image[:, ::-1])
    np.testing.assert_array_equal(back, image)
    twice = moved(moved(labels, crop, width=80, height=60), crop, width=80, height=60)
    np.testing.assert_allclose(twice, labels, atol=1e-6)


def test_objects_follow_the_crop() -> None:
    """They are cut at its border, or dropped."""
    _, labels = image_and_labels()

    found = moved(labels, Crop(0, 0, 40, 60, mirrored=False), width=80, height=60)

    np.testing.assert_allclose(found, [[0, 0.8, 0.5, 0.4, 0.3]], atol=1e-6)


def test_a_small_remainder_of_an_object_has_no_label() -> None:
    """Three tenths of the area must be left."""
    labels = np.array([[0, 0.5, 0.5, 0.2, 0.2], [1, 0.5, 0.5, 0.4, 0.2]], np.float32)

    found = [
        moved(labels, Crop(left, 0, 60, 60, mirrored=False), width=80, height=60)[:, 0].tolist() for left in (42, 42.9, 44, 47)
    ]

    assert found == [[0, 1], [0, 1], [1], []]


def test_colours_change_as_requested() -> None:
    """Exposure doubles the value, saturation 0 is grey, a full turn of the hue is none."""
    image, _ = image_and_labels()
    dark = (image // 4).astype(np.uint8)

    assert np.abs(recoloured(dark, (0, 1, 2)).astype(int) - 2 * dark.astype(int)).max() <= 3
    grey = recoloured(image, (0, 1e-9, 1))
    assert np.ptp(grey.astype(int), axis=2).max() == 0
    assert np.abs(recoloured(image, (1.0, 1, 1.0001)).astype(int) - image).max() <= 12
    assert recoloured(image[:, :, :1], (0.3, 1, 1)).shape == (60, 80, 1)


def test_sharpening_doubles_what_a_blur_takes_away() -> None:
    """At amount 1; none at 0; grey images keep their axis."""
    random = np.random.default_rng(0)
    image = random.integers(100, 150, (30, 30, 3)).astype(np.uint8)
    soft = cv2.GaussianBlur(image, (0, 0), 1).astype(int)

    found = sharpened(image, 1.0)

    assert np.abs(found.astype(int) - (2 * image.astype(int) - soft)).max() <= 1
    assert sharpened(image, 0) is image
    assert sharpened(image[:, :, :1], 0.5).shape == (30, 30, 1)


def batches(paths: list[str], *, threads: int) -> Batches:
    """Two and a half epochs' worth of batches."""
    labels, _ = read_labels(paths, classes=2)
    return Batches(ImageCache(paths, 3), labels, Shape(3, 32, 32), "stretch", Augmentation(), 3, 11, threads)


def test_batches_depend_on_the_seed_alone(tmp_path: Path) -> None:
    """Not on threads, nor on where a training was interrupted."""
    paths = write_images(tmp_path, 7)

    whole = list(batches(paths, threads=1).between(0, 5))
    parts = [*batches(paths, threads=3).between(0, 2), *batches(paths, threads=2).between(2, 5)]

    assert [b.step for b in parts] == list(range(5))
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a.images, b.images)
        for one, other in zip(a.labels, b.labels, strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(whole[0].images, whole[2].images)


def test_labels_are_found_beside_images(tmp_path: Path) -> None:
    """In ``labels`` beside ``images``; missing ones are counted."""
    paths = write_images(tmp_path, 3)
    (tmp_path / "labels" / "1.txt").unlink()

    labels, missing = read_labels(paths, classes=2)

    assert missing == 1
    assert [len(own) for own in labels] == [1, 0, 1]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2 .5 .5 .1 .1", "classes 0 to 1"),
        ("0 .5 .5 .1", "class x y w h"),
        ("0 .5 .5 0 .1", "relative"),
        ("0 5 5 .1 .1", "relative"),
    ],
)
def test_bad_labels_are_refused_with_their_place(tmp_path: Path, line: str, said: str) -> None:
    """File and line."""
    paths = write_images(tmp_path, 1)
    (tmp_path / "labels" / "0.txt").write_text(f"\n{line}\n")

    with pytest.raises(DatasetError, match=rf"0\.txt:2: .*{said}"):
        read_labels(paths, classes=2)


def test_labels_of_endings_that_darknet_does_not_know_are_found(tmp_path: Path) -> None:
    """``a.webp.txt`` as Darknet would have it, ``a.txt`` as others write it."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    (tmp_path / "labels/a.txt").write_text("0 .5 .5 .2 .2\n")
    (tmp_path / "labels/b.webp.txt").write_text("1 .5 .5 .2 .2\n")

    found, missing = read_labels([str(tmp_path / f"images/{name}.webp") for name in "abc"], classes=2)

    assert [rows[:, 0].tolist() for rows in found] == [[0], [1], []]
    assert missing == 1


def test_no_labels_at_all_are_refused(tmp_path: Path) -> None:
    """Rather than training on empty images."""
    paths = write_images(tmp_path, 2)
    for number in range(2):
        (tmp_path / "labels" / f"{number}.txt").unlink()

    with pytest.raises(DatasetError, match="no label file"):
        read_labels(paths, classes=2)


def test_lists_may_be_relative_to_themselves(tmp_path: Path) -> None:
    """As Darknet's ``train.txt`` often is; a missing image is named before the training."""
    write_images(tmp_path, 2)
    (tmp_path / "train.txt").write_text("images/0.png\nimages/1.png\n")
    (tmp_path / "bad.txt").write_text("images/0.png\nimages/7.png\n")

    assert [Path(p).name for p in training_images(str(tmp_path / "train.txt"))] == ["0.png", "1.png"]
    with pytest.raises(DatasetError, match=r"7\.png is missing \(1 of 2"):
        training_images(str(tmp_path / "bad.txt"))
