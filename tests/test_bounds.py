"""No file, cfg or list takes memory or time without bound: limits are checked before anything is allocated."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import GOLDEN
from yolodsc import cli, files
from yolodsc.arrays import Shape
from yolodsc.darknet.cfg import parse_cfg
from yolodsc.darknet.profile import ALEXEYAB, OPENCV
from yolodsc.engine.fastdsc import runner as fastdsc
from yolodsc.errors import CfgError, ImageError, WeightsError, YolodscError
from yolodsc.images import limits
from yolodsc.images.image import fit, read_image
from yolodsc.images.jpeg import decode_jpeg, read_jpeg
from yolodsc.images.jpeg.markers import scans_allowed
from yolodsc.network import weights
from yolodsc.network.network import Network

STEM = GOLDEN / "micro/yolo-v4"
NETWORK = ["--cfg", f"{STEM}.cfg", "--weights", f"{STEM}.weights"]
TINY = GOLDEN / "images/tiny.png"


def limited(code: str, *, megabytes: int) -> str:
    """What a program prints that may map so much memory."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({megabytes << 20}, {megabytes << 20}))\n"
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", limit + code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("[convolutional]\nsize=3\npad=1\ndilation=100000", 5),
        ("[convolutional]\nsize=3\npadding=20000\nstride=1000000", 5),
        ("[convolutional]\nsize=3\npad=1\nantialiasing=1\nfilters=200000\nstride=100000", 5),
        ("[maxpool]\nsize=20000\nstride=1\npadding=20000", 5),
        ("[maxpool]\nsize=20000\nstride=20000\npadding=30000", 5),
        ("[local_avgpool]\nsize=20000\nstride=20000\npadding=30000", 5),
        ("[local]\nsize=1\nstride=100000\npad=100000", 5),
    ],
)
def test_padded_maps_are_bounded_by_the_layers_line(section: str, line: int) -> None:
    """Options of a few digits would ask for terabytes when the network runs."""
    text = f"[net]\nheight=64\nwidth=64\nchannels=3\n{section}\n"

    with pytest.raises(CfgError, match=rf"a.cfg:{line}: .* at most \d+ are run"):
        Network.build(parse_cfg(text, file="a.cfg"))


def test_inputs_alone_are_bounded() -> None:
    """As height, width and channels are."""
    with pytest.raises(CfgError, match="at most"):
        Network.build(parse_cfg("[net]\ninputs=2000000000\n[maxpool]\nsize=1\n"))


def test_layers_are_bounded_in_number() -> None:
    """Planning compares each with the others."""
    with pytest.raises(CfgError, match="10001 layers; at most 9999"):
        Network.build(parse_cfg("[net]\ninputs=4\n" + "[dropout]\n" * 10_001))


def test_convolutions_without_a_matrix_of_windows_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """FastDSC leaves im2col where the matrix would be beyond reason."""
    network = Network.load(f"{STEM}.cfg", f"{STEM}.weights")
    x = np.random.default_rng(0).random(network.input_shape, np.float32)
    whole = fastdsc.FastDscRunner(network, threads=1, outputs=[network.output])(x)[network.output]
    monkeypatch.setattr(fastdsc, "MAX_WORKING", 0)
    monkeypatch.setattr(fastdsc, "convolution_step", _only_without_windows(fastdsc.convolution_step))

    tapped = fastdsc.FastDscRunner(network, threads=1, outputs=[network.output])(x)[network.output]

    np.testing.assert_allclose(tapped, whole, rtol=1e-4, atol=1e-5)


def _only_without_windows(step):
    def checked(layer, *arguments, **options):
        assert layer.pointwise or layer.depthwise
        return step(layer, *arguments, **options)

    return checked


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    """A file of 30 GB that takes no room on the disk."""
    path = tmp_path / "sparse.weights"
    with path.open("wb") as file:
        file.truncate(30 * 10**9)
    return path


def test_weights_are_compared_with_the_cfg_before_they_are_read(sparse: Path) -> None:
    """The length alone says that 30 GB do not fit, and with ``partial`` only what the layers take is read."""
    code = f"""
from yolodsc.errors import WeightsError
from yolodsc.network import Network
try:
    Network.load({f"{STEM}.cfg"!r}, {str(sparse)!r})
except WeightsError as error:
    print(error)
print(Network.load({f"{STEM}.cfg"!r}, {str(sparse)!r}, partial=True).notes[0])
"""
    lines = limited(code, megabytes=2000).splitlines()

    assert len(lines) == 2
    assert all("numbers are left over after the last layer" in line for line in lines)


@pytest.mark.parametrize("kind", ["sparse", "pipe", "/dev/zero"])
@pytest.mark.parametrize("option", ["--cfg", "--weights", "--names", "--data", "image", "list"])
def test_endless_files_are_refused_in_one_line(
    kind: str, option: str, sparse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Devices, pipes that nobody writes to, and files of gigabytes, wherever a file is read."""
    path = tmp_path / "pipe" if kind == "pipe" else sparse if kind == "sparse" else Path(kind)
    if kind == "pipe":
        os.mkfifo(path)
    if option == "list" and kind == "pipe":
        pytest.skip("a pipe of paths is a list that goes on")
    arguments = {"image": [str(path), *NETWORK], "list": ["-", *NETWORK]}.get(option, [str(TINY), *NETWORK, option, str(path)])
    with path.open(encoding="utf-8") if option == "list" else io.StringIO() as stream:
        monkeypatch.setattr(sys, "stdin", stream)

        status = cli.run(["detect", *arguments])

    captured = capsys.readouterr()
    assert status == (1 if option == "image" else 2)
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_pipes_of_a_shell_are_read() -> None:
    """``--cfg <(command)`` and ``/dev/stdin``: as many bytes as the layers take, and one number more."""
    reader, writer = os.pipe()
    os.write(writer, Path(f"{STEM}.weights").read_bytes())
    os.close(writer)

    network = Network.load(f"{STEM}.cfg", f"/dev/fd/{reader}")

    os.close(reader)
    wanted = Network.load(f"{STEM}.cfg", f"{STEM}.weights")
    assert all((a[name] == b[name]).all() for a, b in zip(network.weights, wanted.weights, strict=True) for name in a)


def test_texts_are_bounded_whatever_the_system_says_of_their_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may grow, and those of the system have no length."""
    monkeypatch.setattr(files, "regular_size", lambda *_, **__: None)
    path = tmp_path / "a"
    path.write_bytes(b"12345")

    assert files.read_bytes(path, error=YolodscError, max_bytes=5) == b"12345"
    with pytest.raises(YolodscError, match="more than 4 bytes"):
        files.read_bytes(path, error=YolodscError, max_bytes=4)


def test_strips_are_refused_though_they_have_few_pixels(tmp_path: Path) -> None:
    """Each row costs, whatever its width."""
    Image.new("1", (1, limits.MAX_SIDE + 1)).save(tmp_path / "a.png")
    Image.new("1", (1, limits.MAX_SIDE)).save(tmp_path / "b.png")

    with pytest.raises(ImageError, match="1x65536 pixels; at most 134217728 are read, 65535 a side"):
        read_image(tmp_path / "a.png")
    assert read_image(tmp_path / "b.png").shape == (65535, 1, 3)


def scans(path: Path, count: int, size: tuple[int, int] = (16, 16)) -> Path:
    """A progressive JPEG of so many scans: its last one again and again."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (90, 40, 10)).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    own = content.count(b"\xff\xda")
    last = content[content.rfind(b"\xff\xda") : -2]
    path.write_bytes(content[:-2] + last * (count - own) + content[-2:])
    return path


def test_scans_of_a_jpeg_are_bounded(tmp_path: Path) -> None:
    """In both decoders; the limit falls with the pixels."""
    most, beyond = scans(tmp_path / "a.jpg", 100), scans(tmp_path / "b.jpg", 101)

    assert read_image(most).shape == (16, 16, 3)
    assert read_jpeg(most) is not None
    assert read_jpeg(beyond) is None
    with pytest.raises(ImageError, match="a JPEG of 101 scans; at most 100 are read at 16x16 pixels"):
        read_image(beyond)
    assert [scans_allowed(pixels) for pixels in (1, 2**26, 2**27)] == [100, 40, 20]


def test_markers_across_blocks_of_a_file_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is searched in blocks."""
    path = scans(tmp_path / "a.jpg", 50)
    counted = set()
    for block in (1, 2, 3, 7, 1000, 2**20):
        monkeypatch.setattr(limits, "_CHUNK", block)
        counted.add(limits._scans(path))

    assert counted == {50}


def test_a_jpeg_of_markers_alone_is_left_to_another_decoder() -> None:
    """A million segments, or bytes that may begin one, are not walked through one by one."""
    assert decode_jpeg(b"\xff\xd8" + b"\xff\xe0\0\2" * 1_000_000) is None
    assert decode_jpeg(b"\xff\xd8" + b"\xff" * 2**24) is None


def test_programs_in_postscript_are_no_images(tmp_path: Path) -> None:
    """Whatever the ending says: reading one would run it."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.eps")

    with pytest.raises(ImageError, match="unknown format"):
        read_image((tmp_path / "a.eps").rename(tmp_path / "a.jpg"))


def test_a_format_that_this_pillow_lacks_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older ones have no AVIF."""
    (tmp_path / "a.avif").write_bytes(b"\0" * 100)
    Image.init()
    monkeypatch.delitem(Image.OPEN, "AVIF", raising=False)

    with pytest.raises(ImageError, match="unknown format"):
        read_image(tmp_path / "a.avif")


@pytest.mark.slow
def test_no_memory_stays_no_memory(tmp_path: Path) -> None:
    """A lack of memory is no damage of the image: it is raised as it is."""
    Image.new("1", (11_500, 11_500)).save(tmp_path / "a.png")
    code = f"""
from yolodsc.images import read_image
try:
    read_image({str(tmp_path / "a.png")!r})
except MemoryError:
    print("no memory")
"""
    assert limited(code, megabytes=700) == "no memory\n"


def test_opencvs_lack_of_memory_is_a_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It raises an error of its own, with a code."""
    cv2 = pytest.importorskip("cv2")

    def fail(*_: object, **__: object) -> None:
        error = cv2.error("Insufficient memory")
        error.code = cv2.Error.StsNoMem
        raise error

    monkeypatch.setattr(cv2, "resize", fail)

    with pytest.raises(MemoryError, match="no memory to resize 4x3 pixels"):
        fit(np.zeros((3, 4, 3), np.uint8), Shape(3, 8, 8), profile=OPENCV, geometry="stretch")


def test_limits_leave_room_for_the_largest_known_network() -> None:
    """The padded maps of the first layers of a network for 1536 x 1536 pixels are a third of what is allowed."""
    text = "[net]\nheight=1536\nwidth=1536\nchannels=3\n[convolutional]\nfilters=80\nsize=3\npad=1\n" + (
        "[convolutional]\nfilters=160\nsize=3\npad=1\nstride=2\n"
    )

    network = Network.build(parse_cfg(text), profile=ALEXEYAB)

    assert max(layer.working() for layer in network.layers) == 80 * 1537 * 1537


def test_a_file_of_weights_that_is_cut_while_it_is_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length said that it fits."""
    path = tmp_path / "a.weights"
    content = Path(f"{STEM}.weights").read_bytes()
    path.write_bytes(content[:-8])
    monkeypatch.setattr(weights, "regular_size", lambda *_, **__: len(content))

    with pytest.raises(WeightsError, match="cannot be read"):
        Network.load(f"{STEM}.cfg", path)
