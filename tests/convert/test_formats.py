"""Round trips between formats, and invalid files."""

import json
import shutil
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import GOLDEN, SHARED
from tests.convert.files import TINY, load, pair
from yolodsc.convert.formats import model_paths, read_model, write_model
from yolodsc.errors import CfgError, ConversionError, MissingExtraError, WeightsError
from yolodsc.network.weights import Header

MICRO = sorted(path.stem for path in (GOLDEN / "micro").glob("*.cfg"))
REAL = sorted(path.parent.name for path in (SHARED / "data/models").glob("[!_]*/*.cfg"))
ARCHIVES = [".npz", ".safetensors"]
ODD = {
    "shared": "convolutional filters=3 size=3 pad=1 activation=leaky\nconvolutional filters=3 size=3 pad=1 share_index=0",
    "flipped": "convolutional filters=4 size=3 flipped=1 activation=leaky",
    "not loaded": "convolutional filters=4 size=3 dontload=1 batch_normalize=1 activation=leaky\nbatchnorm",
    "no scales": "convolutional filters=4 size=3 dontloadscales=1 batch_normalize=1 activation=leaky",
    "shortcut": "convolutional filters=3 activation=leaky\nmaxpool size=1\nshortcut from=0 weights_type=per_channel",
    "no weights": "maxpool size=2",
}


def assert_round_trip(cfg: Path, weights: Path, ending: str, folder: Path) -> None:
    """Convert a pair to one file and back; both files are identical to the original."""
    between, back = folder / f"between{ending}", folder / "back/again.cfg"

    write_model(read_model(cfg, weights=weights), between)
    write_model(read_model(between), back)

    assert back.read_bytes() == cfg.read_bytes()
    assert back.with_suffix(".weights").read_bytes() == weights.read_bytes()


@pytest.mark.parametrize("ending", ARCHIVES)
@pytest.mark.parametrize("name", MICRO)
def test_micro_networks_come_back_byte_by_byte(name: str, ending: str, tmp_path: Path) -> None:
    """Cfg and weights of networks of every feature are identical after a round trip."""
    stem = GOLDEN / "micro" / name

    assert_round_trip(stem.with_suffix(".cfg"), stem.with_suffix(".weights"), ending, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason=f"needs the reference material in {SHARED}")
@pytest.mark.parametrize("ending", ARCHIVES)
@pytest.mark.parametrize("name", REAL or ["none"])
def test_real_networks_come_back_byte_by_byte(name: str, ending: str, shared: Path, tmp_path: Path) -> None:
    """Comments of the cfg are kept if they are UTF-8."""
    folder = shared / "data/models" / name

    assert_round_trip(folder / f"{name}.cfg", folder / f"{name}.weights", ending, tmp_path)


@pytest.mark.parametrize("ending", ARCHIVES)
def test_a_short_count_of_images_stays_short(ending: str, shared: Path, tmp_path: Path) -> None:
    """A file of version 0.2 has a count of 4 bytes."""
    folder = shared / "data/models/_odd"

    assert_round_trip(folder / "number_lenet.cfg", folder / "number_lenet_6673-32bit-seen.weights", ending, tmp_path)


@pytest.mark.parametrize("ending", ARCHIVES)
@pytest.mark.parametrize("layers", ODD.values(), ids=ODD)
def test_weights_that_lie_otherwise_come_back(layers: str, ending: str, tmp_path: Path) -> None:
    """Shared, transposed and omitted arrays survive a round trip."""
    cfg = pair(tmp_path, layers)

    assert_round_trip(cfg, cfg.with_suffix(".weights"), ending, tmp_path)


@pytest.mark.parametrize("ending", ARCHIVES)
@pytest.mark.parametrize(
    "header", [Header(0, 1, 0, 7, 4), Header(0, 2, 5, 2**63 + 1), Header(1, 0, 0, 64), Header(2000, 0, -1, 3, 4)]
)
def test_headers_come_back(header: Header, ending: str, tmp_path: Path) -> None:
    """Old versions, large counts, and the version with transposed connected weights survive a round trip."""
    cfg = pair(tmp_path, "connected output=5 activation=leaky")
    load(cfg).with_weights(load(cfg).weights, header=header).save(cfg, cfg.with_suffix(".weights"))

    assert_round_trip(cfg, cfg.with_suffix(".weights"), ending, tmp_path)


def test_text_that_is_not_utf_8_stays_in_npz_and_is_spelt_out_in_safetensors(tmp_path: Path) -> None:
    """The cfg has a comment in Latin-1 and line ends of Windows."""
    cfg = pair(tmp_path)
    cfg.write_bytes(b"# r\xe9seau\r\n" + cfg.read_bytes().replace(b"\n", b"\r\n"))

    assert_round_trip(cfg, cfg.with_suffix(".weights"), ".npz", tmp_path)
    write_model(read_model(cfg), tmp_path / "tiny.safetensors")

    spelt = read_model(tmp_path / "tiny.safetensors")
    assert spelt.text.startswith("# r\\udce9seau\r\n")
    assert spelt.network.cfg == read_model(cfg).network.cfg


def test_arrays_have_names_and_shapes_for_other_programs(tmp_path: Path) -> None:
    """Names and shapes are the same in both formats."""
    from safetensors.numpy import load_file

    write_model(read_model(pair(tmp_path)), tmp_path / "tiny.npz")
    write_model(read_model(tmp_path / "tiny.npz"), tmp_path / "tiny.safetensors")

    tensors = load_file(tmp_path / "tiny.safetensors")
    with np.load(tmp_path / "tiny.npz") as file:
        assert set(file.files) == {*tensors, "cfg", "version", "seen", "seen_bytes"}
        assert all(np.array_equal(file[name], array) for name, array in tensors.items())
    assert tensors["layer_1.weights"].shape == (6, 1, 3, 3)
    assert tensors["layer_0.rolling_mean"].dtype == np.float32


def test_either_half_names_the_pair(tmp_path: Path) -> None:
    """Inputs and outputs may be named by the cfg or by the weights."""
    cfg = pair(tmp_path)

    assert (
        model_paths(tmp_path / "new.weights")
        == model_paths(tmp_path / "new.cfg")
        == (tmp_path / "new.cfg", tmp_path / "new.weights")
    )
    assert read_model(cfg.with_suffix(".weights")).text == read_model(cfg).text


def _archive(folder: Path, **changes: object) -> Path:
    """Return ``tiny.npz`` with entries replaced, added, or, where the value is None, removed."""
    path = folder / "tiny.npz"
    write_model(read_model(pair(folder)), path)
    with np.load(path) as file:
        entries = dict(file) | {key.replace("__", "."): value for key, value in changes.items()}
    np.savez(path, **{key: value for key, value in entries.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"cfg": None}, "contains no cfg"),
        ({"layer_2__biases": None}, r"layer_2.biases is missing; the cfg inside expects \(14,\)"),
        ({"layer_2__biases": np.zeros(3, np.float32)}, r"layer_2.biases is float32 \(3,\); the cfg inside expects float32 \(14,\)"),
        ({"layer_2__biases": np.zeros(14, np.int32)}, "layer_2.biases is int32"),
        ({"layer_2__biases": np.array("zero")}, "layer_2.biases is missing"),
        ({"layer_9__biases": np.zeros(14, np.float32)}, "layer_9.biases belongs to no layer"),
        ({"layer_2__biases": np.array([None])}, "not an .npz file of plain arrays"),
        ({"version": np.array("0.2")}, "version=0.2"),
        ({"seen": np.array("many")}, "seen=many"),
        ({"seen": np.array(str(2**64))}, "seen=18446744073709551616"),
        ({"seen_bytes": np.array("5")}, "seen_bytes=5"),
    ],
)
def test_archives_that_do_not_fit_their_cfg_are_refused(changes: dict[str, object], found: str, tmp_path: Path) -> None:
    """One line gives the file, the array or note, and what was expected."""
    path = _archive(tmp_path, **changes)

    with pytest.raises(ConversionError, match=f"^{path}: .*{found}"):
        read_model(path)


def test_double_precision_is_rounded(tmp_path: Path) -> None:
    """Another program may have written the arrays as float64."""
    path = _archive(tmp_path, layer_2__biases=np.full(14, 0.1))

    np.testing.assert_array_equal(read_model(path).network.weights[2]["biases"], np.full(14, 0.1, np.float32))


@pytest.mark.parametrize("ending", ARCHIVES)
@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_files_that_are_cut_off_are_refused(share: float, ending: str, tmp_path: Path) -> None:
    """The position of the cut does not matter."""
    path = tmp_path / f"tiny{ending}"
    write_model(read_model(pair(tmp_path)), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])

    with pytest.raises(ConversionError, match="cannot be read: not a"):
        read_model(path)


@pytest.mark.parametrize("ending", ARCHIVES)
def test_files_that_are_not_there_are_refused(ending: str, tmp_path: Path) -> None:
    """Directories are refused, too."""
    (tmp_path / f"folder{ending}").mkdir()

    for name in ("nowhere", "folder"):
        with pytest.raises(ConversionError, match=f"{name}{ending}: cannot be read"):
            read_model(tmp_path / f"{name}{ending}")


def test_a_bare_array_is_no_archive(tmp_path: Path) -> None:
    """An .npy file with the extension .npz is refused."""
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, np.zeros(3))

    with pytest.raises(ConversionError, match=r"not an \.npz file"):
        read_model(tmp_path / "array.npz")


def test_other_members_of_an_archive_are_refused(tmp_path: Path) -> None:
    """A zip file may not contain a text file."""
    path = _archive(tmp_path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("readme.txt", "hello")

    with pytest.raises(ConversionError, match=r"readme\.txt.; expected \.npy files"):
        read_model(path)


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3", "I8"])
def test_other_numbers_in_safetensors_are_refused(kind: str, tmp_path: Path) -> None:
    """Integers, and types that NumPy does not have, are refused."""
    cfg = "[net]\nwidth=1\nheight=1\nchannels=1\n[batchnorm]\n"
    size = 2 if kind == "BF16" else 1
    names = [f"layer_0.{name}" for name in ("biases", "scales", "rolling_mean", "rolling_variance")]
    header: dict[str, object] = {
        name: {"dtype": kind, "shape": [1], "data_offsets": [i * size, (i + 1) * size]} for i, name in enumerate(names)
    }
    text = json.dumps({"__metadata__": {"cfg": cfg}, **header}).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(4 * size))

    with pytest.raises(ConversionError, match=r"x\.safetensors: "):
        read_model(tmp_path / "x.safetensors")


@pytest.mark.parametrize("name", ["tiny.onnx", "tiny.pt", "tiny"])
def test_endings_that_cannot_be_read_are_refused(name: str, tmp_path: Path) -> None:
    """ONNX files can be written only."""
    with pytest.raises(ConversionError, match=r"expected a file that ends in .cfg, .weights, .npz, .safetensors$"):
        read_model(tmp_path / name)


def test_weights_of_another_name_go_with_a_cfg(tmp_path: Path) -> None:
    """They are read together with a cfg and refused alone."""
    cfg = pair(tmp_path)
    shutil.move(cfg.with_suffix(".weights"), tmp_path / "tiny.backup")

    assert read_model(cfg, weights=tmp_path / "tiny.backup").network.layers
    with pytest.raises(ConversionError, match=r"are accepted with a \.cfg only"):
        read_model(tmp_path / "tiny.npz", weights=tmp_path / "tiny.backup")
    with pytest.raises(WeightsError, match=r"tiny.weights: cannot be read"):
        read_model(cfg)


def test_a_pair_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """No cfg is written without its weights."""
    model = read_model(pair(tmp_path))
    (tmp_path / "new.weights").mkdir()

    with pytest.raises(WeightsError, match="is a directory"):
        write_model(model, tmp_path / "new.cfg")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.weights", "tiny.cfg", "tiny.weights"]


def test_a_cfg_inside_that_cannot_be_built_names_the_file(tmp_path: Path) -> None:
    """The message also gives the line of the cfg."""
    path = _archive(tmp_path, cfg=np.array("[net]\nwidth=8\nheight=8\nchannels=3\n[convolution]\n"))

    with pytest.raises(CfgError, match=r"tiny.npz:5: \[convolution\]"):
        read_model(path)


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the same for reading and for writing."""
    model = read_model(pair(tmp_path, TINY))
    for module in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingExtraError, match=r"pip install 'safetensors.*\(extra safetensors\)$"):
        write_model(model, tmp_path / "x.safetensors")
    with pytest.raises(MissingExtraError, match=r"pip install 'safetensors.*\(extra safetensors\)$"):
        read_model(tmp_path / "x.safetensors")
