"""Networks at another input size."""

from pathlib import Path

import numpy as np
import pytest

import yolodsc
from tests.conftest import GOLDEN
from tests.networks import image, network
from yolodsc import cli
from yolodsc.errors import CfgError, OptionError
from yolodsc.network import Network, at_size
from yolodsc.network.input_size import network_strides, parse_size

STEM = GOLDEN / "micro/yolo-v4"
PAIR = [f"{STEM}.cfg", f"{STEM}.weights"]
NETWORK = ["--cfg", PAIR[0], "--weights", PAIR[1]]


def at_edited_cfg(tmp_path: Path, *, width: int, height: int) -> Network:
    """The network as Darknet's users resize it: by editing the cfg."""
    sections = Path(PAIR[0]).read_text().split("[", 2)
    lines = [line for line in sections[1].splitlines() if line.partition("=")[0].strip() not in ("width", "height")]
    edited = tmp_path / "edited.cfg"
    edited.write_text("[" + "\n".join([*lines, f"width={width}", f"height={height}", "[" + sections[2]]))
    return Network.load(edited, PAIR[1])


def test_a_size_gives_what_editing_the_cfg_gives(tmp_path: Path) -> None:
    """Same layers, same weights, same outputs."""
    expected = at_edited_cfg(tmp_path, width=96, height=64)

    found = at_size(Network.load(*PAIR), "96x64")

    x = image(expected)
    assert found.input_shape == expected.input_shape == (3, 64, 96)
    assert [layer.shape for layer in found.layers] == [layer.shape for layer in expected.layers]
    for a, b in zip(found.forward(x), expected.forward(x), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("given", "expected"), [("256", (256, 256)), (256, (256, 256)), ("512x320", (512, 320)), ((512, 320), (512, 320))]
)
def test_a_size_is_a_side_or_width_and_height(given: int | str | tuple[int, int], expected: tuple[int, int]) -> None:
    """In this order."""
    assert parse_size(given) == expected


@pytest.mark.parametrize("given", ["", "x", "1x2x3", "-32", "3.5", "0", "0x32", "٣٢", "1" * 30, (1,) * 3])
def test_other_sizes_are_refused(given: str | tuple[int, ...]) -> None:
    """With what was given, and an example."""
    with pytest.raises(OptionError, match=r"size=.*expected a width in pixels, or WIDTHxHEIGHT, such as"):
        parse_size(given)  # type: ignore[arg-type]


def test_the_size_must_be_a_multiple_of_the_stride() -> None:
    """The message gives the stride and a size that goes."""
    with pytest.raises(OptionError, match=r"size=100x64: expected multiples of 16, the stride of .*, such as 96x64"):
        at_size(Network.load(*PAIR), (100, 64))


def test_strides_count_what_reduces_and_what_enlarges() -> None:
    """Pools, reorgs and convolutions multiply, upsampling divides, and avgpool starts anew; the axes are apart."""
    layers = """
    convolutional filters=4 size=3 stride_x=2 stride_y=1 pad=1
    maxpool size=2 stride=2
    reorg stride=2
    upsample stride=2
    convolutional filters=4 size=3 stride=2 pad=1
    avgpool
    """

    assert network_strides(network(layers, height=32, width=32).layers) == (4, 8)


@pytest.mark.parametrize("layer", ["connected output=5", "local filters=2 size=3"])
def test_layers_whose_weights_depend_on_the_size_are_refused(layer: str) -> None:
    """In one line with the place and both sizes."""
    with pytest.raises(CfgError, match=r"test.cfg:\d+: \[\w+\] has weights for images of 8x8, not of 16x16"):
        at_size(network(layer), 16)


def test_notes_of_the_weights_file_stay(tmp_path: Path) -> None:
    """What ``partial`` accepted is not forgotten, and notes of the cfg are not doubled."""
    longer = tmp_path / "longer.weights"
    longer.write_bytes(Path(PAIR[1]).read_bytes() + bytes(8))
    loaded = Network.load(PAIR[0], longer, partial=True)

    assert at_size(loaded, 32).notes == loaded.notes != ()


def test_load_takes_a_size(tmp_path: Path) -> None:
    """As `Detector.from_files` does."""
    assert yolodsc.load(size=(96, 64)).network.input_shape == (3, 64, 96)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["detect", "summary", "bench", "convert", "evaluate"])
def test_commands_take_a_size(
    command: str, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And refuse one that is no multiple of the stride, in one line."""
    (here / "a.txt").write_text("0 .5 .5 .2 .2\n")
    (here / "c.names").write_text("a\nb\nc\nd\ne\n")
    named = [*NETWORK, "--names", "c.names"]
    lines = {
        "detect": ["detect", "a.png", *named],
        "summary": ["summary", *NETWORK],
        "bench": ["bench", *NETWORK, "--seconds", "0", "--peers", ""],
        "convert": ["convert", PAIR[0], "small.npz"],
        "evaluate": ["evaluate", "--gt", ".", "--format", "yolo", "--images", ".", *named],
    }
    loaded: list[tuple[int, ...]] = []
    resized = Network.resized
    monkeypatch.setattr(Network, "resized", lambda n, *size: (loaded.append(size), resized(n, *size))[1])

    assert cli.run([*lines[command], "--size", "100"]) == 2
    assert "--size 100x100: expected multiples of 16" in capsys.readouterr().err
    assert cli.run([*lines[command], "--size", "64x96"]) == 0
    assert loaded == [(96, 64)]
