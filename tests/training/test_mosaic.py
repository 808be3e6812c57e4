"""Mosaics and sizes of images that change, as Darknet's ``mosaic=1`` and ``random=1``."""

from pathlib import Path

import numpy as np
import pytest

from yolodsc.arrays import Shape
from yolodsc.errors import OptionError
from yolodsc.training.data.augment import Augmentation
from yolodsc.training.data.batches import Batches
from yolodsc.training.data.image_cache import ImageCache
from yolodsc.training.data.labels import VISIBLE
from yolodsc.training.data.mosaic import mosaic
from yolodsc.training.data.scales import STEPS, shape_at
from yolodsc.training.finetune.digest import training_digest
from yolodsc.training.finetune.settings import FinetuneSettings

SHAPE = Shape(1, 40, 60)
PLAIN = Augmentation(flip=False, jitter=0, hue=0, saturation=1, exposure=1)


def _marked(value: float, corner: tuple[int, int], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """An image of one value with a brighter rectangle, and the rectangle as an object whose class is the value."""
    image = np.full(SHAPE, value, np.float32)
    (y, x), (h, w) = corner, size
    image[0, y : y + h, x : x + w] += 0.5
    return image, np.array([[value, (x + w / 2) / 60, (y + h / 2) / 40, w / 60, h / 40]], np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_objects_of_a_mosaic_lie_where_their_pixels_are(seed: int) -> None:
    """Every box contains the bright pixels of its image, those alone, and up to its edges; small remains have no box."""
    rng = np.random.default_rng(seed)
    samples = [_marked(v, (int(rng.integers(20)), int(rng.integers(30))), (17, 24)) for v in (1, 2, 3, 4)]

    image, labels = mosaic(samples, SHAPE, rng)

    assert set(np.floor(np.unique(image))) == {1, 2, 3, 4}
    for kind in (1, 2, 3, 4):
        bright = np.argwhere(image[0] == kind + 0.5)
        boxes = labels[labels[:, 0] == kind]
        assert len(boxes) == (len(bright) >= VISIBLE * 17 * 24)
        for _, x, y, w, h in boxes:
            low, high = bright.min(axis=0), bright.max(axis=0) + 1
            np.testing.assert_allclose([y - h / 2, y + h / 2], [low[0] / 40, high[0] / 40], atol=1e-6)
            np.testing.assert_allclose([x - w / 2, x + w / 2], [low[1] / 60, high[1] / 60], atol=1e-6)


def test_samples_of_one_seed_are_the_same_on_any_number_of_threads(tmp_path: Path) -> None:
    """Mosaics and sizes included, and from the middle of a training."""
    import cv2

    paths = [str(tmp_path / f"{i}.png") for i in range(8)]
    for i, path in enumerate(paths):
        cv2.imwrite(path, np.random.default_rng(i).integers(0, 256, (30, 40, 3), np.uint8))
    labels = [np.array([[i, 0.5, 0.5, 0.4, 0.4]], np.float32) for i in range(8)]

    def batches(threads: int, start: int) -> list[tuple[bytes, list[bytes]]]:
        how = Augmentation(mosaic=0.5)
        made = Batches(ImageCache(paths, 3), labels, Shape(3, 64, 96), "stretch", how, 4, 0, threads, multiscale=True)
        return [(b.images.tobytes(), [own.tobytes() for own in b.labels]) for b in made.between(start, 12)]

    assert batches(1, 0) == batches(3, 0)
    assert batches(2, 7) == batches(1, 0)[7:]


def test_sizes_change_every_ten_steps_within_a_factor_of_1_4() -> None:
    """All are multiples of 32, and both larger and smaller ones occur."""
    shapes = [shape_at(Shape(3, 256, 320), step, seed=0) for step in range(40 * STEPS)]

    assert all(len(set(shapes[start : start + STEPS])) == 1 for start in range(0, len(shapes), STEPS))
    assert {side % 32 for shape in shapes for side in shape[1:]} == {0}
    assert min(s.height for s in shapes) == 192 and max(s.height for s in shapes) == 352
    assert {s.width >= s.height for s in shapes} == {True}


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_fraction_of_mosaics_outside_0_to_1_is_an_error(share: float) -> None:
    """The error names the setting."""
    with pytest.raises(OptionError, match="mosaic"):
        FinetuneSettings(augmentation=Augmentation(mosaic=share))


def test_settings_at_their_defaults_keep_the_digest_of_older_checkpoints() -> None:
    """The number is the digest as it was before mosaics and changing sizes, so that older checkpoints can be resumed."""
    from tests.networks import network

    built = network("convolutional filters=4 activation=leaky")
    built = built.with_weights([{name: np.zeros_like(array) for name, array in own.items()} for own in built.weights])

    def digest(settings: FinetuneSettings) -> str:
        return training_digest(settings, (built,), ["a.png"], [], "stretch", None)

    assert digest(FinetuneSettings(augmentation=PLAIN)) == "5bf59dd0d6bd3d5486f89c079fe2d59955ddeed04fdd192c1374d569f2452ef5"
    assert digest(FinetuneSettings(augmentation=PLAIN, multiscale=True)) != digest(FinetuneSettings(augmentation=PLAIN))
    assert digest(FinetuneSettings(augmentation=Augmentation(mosaic=0.5))) != digest(FinetuneSettings())
