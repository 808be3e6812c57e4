"""Tiles: views of large images, and the merging of their boxes."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import yolodsc
from tests.cli.support import NETWORK, STEM
from yolodsc import cli
from yolodsc.arrays import Shape
from yolodsc.detection.tiles import TileGrid, View, merged
from yolodsc.errors import OptionError
from yolodsc.images.image import write_image
from yolodsc.network import Candidates

INPUT = Shape(3, 320, 320)


def photograph(height: int, width: int) -> np.ndarray:
    """An image of noise."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def candidates(*boxes: tuple[float, float, float, float]) -> Candidates:
    """One candidate of one class for each box (x, y, w, h)."""
    count = len(boxes)
    return Candidates(np.array(boxes, np.float32).reshape(-1, 4), np.ones(count, np.float32), np.ones((count, 1), np.float32))


@pytest.mark.parametrize("size", [(1080, 1920), (37, 41), (3, 1000), (1, 1)])
@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.9])
def test_tiles_cover_the_image_and_overlap(size: tuple[int, int], overlap: float) -> None:
    """Every pixel is seen by a tile; neighbours have the share in common, to a pixel; the first view is the whole image."""
    image = photograph(*size)

    whole, *tiles = TileGrid((2, 3), overlap).views(image, INPUT)

    seen = np.zeros(size, int)
    for tile in tiles:
        assert tile.of(image).size
        seen[tile.top : tile.bottom, tile.left : tile.right] += 1
    assert whole == View(0, 0, size[1], size[0])
    assert not tiles or seen.min() >= 1
    if min(size) > 30:
        first, second = tiles[:2]
        assert abs((first.right - second.left) - overlap * (first.right - first.left)) <= 2


@pytest.mark.parametrize(
    ("size", "grid"),
    [((1080, 1920), (2, 3)), ((480, 640), (1, 1)), ((960, 960), (1, 1)), ((961, 100), (2, 1)), ((100, 4000), (1, 5))],
)
def test_auto_takes_tiles_that_are_reduced_threefold_at_most(size: tuple[int, int], grid: tuple[int, int]) -> None:
    """And no tiles where the whole image is not reduced more."""
    tiles = TileGrid.of("auto").views(np.zeros((*size, 3), np.uint8), INPUT)[1:]

    assert len(tiles) == (grid[0] * grid[1] if grid != (1, 1) else 0)
    assert all(tile.right - tile.left <= 961 and tile.bottom - tile.top <= 961 for tile in tiles)


def test_boxes_of_a_tile_become_boxes_of_the_image() -> None:
    """The centre moves with the tile, the size shrinks with it; boxes of the whole image stay."""
    views = [View(0, 0, 200, 100), View(100, 50, 200, 100)]

    boxes = merged([candidates((0.5, 0.5, 0.2, 0.2)), candidates((0.4, 0.6, 0.2, 0.4))], views).boxes_xywh

    np.testing.assert_allclose(boxes, [(0.5, 0.5, 0.2, 0.2), (0.7, 0.8, 0.1, 0.2)], rtol=1e-6)


def test_boxes_that_an_edge_inside_the_image_cuts_off_are_left_to_the_neighbours() -> None:
    """Edges of the image itself cut nothing off."""
    views = [View(0, 0, 100, 100), View(0, 0, 60, 100)]
    at_the_left, at_the_right = (0.1, 0.5, 0.2, 0.2), (0.9, 0.5, 0.2, 0.2)

    found = merged([candidates(at_the_left, at_the_right), candidates(at_the_left, at_the_right)], views)

    np.testing.assert_allclose(found.boxes_xywh[:, 0], [0.1, 0.9, 0.06], rtol=1e-6)


@pytest.mark.parametrize(("tiles", "overlap"), [("0x2", 0.2), ("2", 0.2), ("2x", 0.2), ("65x1", 0.2), ("a", 0.2), ("2x2", 0.95)])
def test_other_tilings_are_refused(tiles: str, overlap: float) -> None:
    """With the parameter at fault."""
    with pytest.raises(OptionError, match=r"^tile(s|_overlap)=.*expected") as caught:
        TileGrid.of(tiles, overlap)

    assert caught.value.parameter in ("tiles", "tile_overlap")


def test_one_tile_gives_the_boxes_of_no_tiles(tmp_path: Path) -> None:
    """Bit for bit."""
    write_image(tmp_path / "a.png", photograph(76, 100))
    plain, tiled = (
        yolodsc.Detector.from_files(f"{STEM}.cfg", f"{STEM}.weights", thresh=0.05, tiles=tiles)(tmp_path / "a.png")
        for tiles in (None, "1x1")
    )

    assert len(plain) > 0
    np.testing.assert_array_equal(plain.boxes_xyxy, tiled.boxes_xyxy)
    np.testing.assert_array_equal(plain.scores, tiled.scores)


@pytest.mark.slow
def test_many_files_give_what_each_gives_alone(tmp_path: Path) -> None:
    """On one stream or two; a file that cannot be read gives its error."""
    paths = [str(tmp_path / f"{name}.png") for name in "abc"]
    for path in (paths[0], paths[2]):
        write_image(path, photograph(200, 300))
    Path(paths[1]).write_bytes(b"broken")
    detectors = [
        yolodsc.Detector.from_files(f"{STEM}.cfg", f"{STEM}.weights", thresh=0.05, tiles="2x3", streams=streams)
        for streams in (1, 2)
    ]
    alone = detectors[0](paths[0])

    for detector in detectors:
        first, broken, last = detector.many(paths)

        assert broken.error is not None
        for result in (first, last):
            assert result.detections is not None
            assert result.candidates is not None
            assert result.stages.network > 0
            np.testing.assert_array_equal(result.detections.boxes_xyxy, alone.boxes_xyxy)
            rows, classes = result.detections.candidate_ids, result.detections.class_ids
            np.testing.assert_array_equal(result.candidates.probabilities[rows, classes], result.detections.scores)


@pytest.mark.slow
def test_tiles_find_what_is_too_small_for_the_whole_image() -> None:
    """A cat of 130 pixels in 1920x1080, at its position."""
    skimage = pytest.importorskip("skimage")
    import cv2

    cat = cv2.resize(skimage.data.chelsea(), (195, 130), interpolation=cv2.INTER_AREA)
    image = np.full((1080, 1920, 3), 128, np.uint8)
    image[700:830, 1200:1395] = cat

    plain, tiled = (yolodsc.load(tiles=tiles)(image) for tiles in (None, "3x5"))

    assert "cat" not in plain.class_names()
    assert "cat" in tiled.class_names()
    left, top, right, bottom = tiled.boxes_xyxy[tiled.class_names().index("cat")]
    assert 1100 < left < right < 1450
    assert 650 < top < bottom < 880


def test_detect_takes_tiles(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And refuses what is no grid, in one line."""
    assert cli.run(["detect", "a.png", *NETWORK, "--tiles", "2x2", "--tile-overlap", ".3"]) == 0
    capsys.readouterr()
    assert cli.run(["detect", "a.png", *NETWORK, "--tiles", "2"]) == 2
    assert capsys.readouterr().err == "yolodsc: --tiles 2: expected ROWSxCOLUMNS, such as 2x3 (1 to 64 each), or auto\n"


def test_a_run_with_tiles_is_not_resumed_without(tmp_path: Path) -> None:
    """The settings that a journal compares contain size and tiles."""
    from yolodsc.evaluation.inference import inference_settings

    settings = [
        inference_settings(
            yolodsc.load(**options), SimpleNamespace(origin=0.0), cfg=Path(f"{STEM}.cfg"), weights=Path(f"{STEM}.weights")
        )
        for options in ({}, {"tiles": "2x2"}, {"size": 64})
    ]

    assert settings[0] != settings[1] != settings[2] != settings[0]
