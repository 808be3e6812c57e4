"""``.npz`` and ``.safetensors`` files with false headers, through ``yolodsc convert``."""

import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from tests.convert.files import pair
from tests.schemas.complaints import complaint
from yolodsc.cli import run
from yolodsc.convert.formats import read_model, write_model


def npy_bytes(array: Any, **header: object) -> bytes:
    """Return an npy member with fields of its header replaced."""
    stream = io.BytesIO()
    fields = {"descr": npy.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    npy.write_array_header_1_0(stream, fields | header)
    return stream.getvalue() + array.tobytes()


def archive(folder: Path, members: dict[str, bytes | None], *, method: int = zipfile.ZIP_STORED) -> Path:
    """Return ``tiny.npz`` with members replaced, added, or, where the value is None, removed."""
    path = folder / "tiny.npz"
    write_model(read_model(pair(folder)), path)
    with zipfile.ZipFile(path) as file:
        content: dict[str, bytes | None] = {name: file.read(name) for name in file.namelist()} | members
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in content.items():
            if data is not None:
                file.writestr(name, data)
    return path


BIASES = np.zeros(14, np.float32)
MEMBERS: list[tuple[str, bytes, str]] = [
    ("layer_2.biases.npy", npy_bytes(BIASES, shape=(10**12,)), "layer_2.biases: float32 (1000000000000,) in 184 bytes; expected"),
    ("layer_2.biases.npy", npy_bytes(BIASES, shape=(13,)), "layer_2.biases: float32 (13,) in 184 bytes; expected 180"),
    ("layer_2.biases.npy", npy_bytes(BIASES, shape=(-14,)), "layer_2.biases: shape (-14,)"),
    ("layer_2.biases.npy", npy_bytes(BIASES, shape=(2, 7)), "layer_2.biases is float32 (2, 7)"),
    ("layer_2.biases.npy", npy_bytes(BIASES, descr="|O"), "layer_2.biases: dtype object"),
    ("layer_2.biases.npy", npy_bytes(BIASES, descr=[("a", "<f4")]), "layer_2.biases: dtype"),
    ("layer_2.biases.npy", npy_bytes(BIASES, descr="<i4"), "layer_2.biases is int32"),
    ("layer_2.biases.npy", npy_bytes(BIASES, descr="<q9"), "no npy header"),
    ("layer_2.biases.npy", npy_bytes(BIASES, shape="many"), "no npy header"),
    ("layer_2.biases.npy", npy_bytes(BIASES)[:5], "no npy header"),
    ("layer_2.biases.npy", b"", "no npy header"),
    ("layer_2.biases.npy", npy_bytes(BIASES).replace(b"{", b"(" * 50, 1), "no npy header"),
    ("layer_2.biases.npy", b"\x93NUMPY\x03\x00" + npy_bytes(BIASES)[8:], "no npy header"),
    ("layer_9.weights.npy", npy_bytes(BIASES), "layer_9.weights belongs to no layer"),
    ("notes", b"hello", "member 'notes'; expected .npy files"),
    ("more.npy", npy_bytes(np.array("x" * (2**24 + 1))), "more: a text of"),
]


@pytest.mark.parametrize(("name", "content", "said"), MEMBERS, ids=[f"{name} {said[:24]}" for name, _, said in MEMBERS])
def test_a_member_that_is_no_expected_array_is_one_line(
    name: str, content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 2, and the line names the file and the array."""
    path = archive(tmp_path, {name: content}, method=zipfile.ZIP_DEFLATED)

    line = complaint(["convert", path, tmp_path / "new.cfg"], capsys)

    assert f"{path}: " in line
    assert said in line


@pytest.mark.slow
def test_an_archive_with_a_huge_array_is_refused_before_it_is_unpacked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A small file of zeros that would fill a gigabyte is refused with a few megabytes of memory."""
    path = archive(tmp_path, {})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        header = npy_bytes(BIASES[:0], shape=(2**28,))
        with file.open("layer_3.weights.npy", "w") as member:
            member.write(header)
            for _ in range(2**6):
                member.write(bytes(2**24))
    tracemalloc.start()

    line = complaint(["convert", path, tmp_path / "new.cfg"], capsys)

    assert "layer_3.weights belongs to no layer" in line
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(method: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """NumPy writes stored and deflated members only."""
    line = complaint(["convert", archive(tmp_path, {}, method=method), tmp_path / "new.cfg"], capsys)

    assert "compression" in line


def test_a_member_that_occurs_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing says which of the two is valid."""
    path = archive(tmp_path, {})
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("layer_2.biases.npy", npy_bytes(BIASES))

    assert "each once" in complaint(["convert", path, tmp_path / "new.cfg"], capsys)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_any_damaged_byte_of_an_archive_is_at_most_one_line(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Single bytes of headers, directory and data are changed; the file is converted or refused."""
    path = tmp_path / f"tiny{ending}"
    write_model(read_model(pair(tmp_path)), path)
    whole = path.read_bytes()
    random = np.random.default_rng(4)

    for place in random.integers(0, len(whole), 150):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ int(random.integers(1, 256))]) + whole[place + 1 :])
        capsys.readouterr()
        status = run(["convert", str(path), str(tmp_path / "new.cfg"), "--force"])
        assert (status, capsys.readouterr().err.count("\n")) in {(0, 1), (2, 1)}


NAMES = [f"layer_0.{name}" for name in ("biases", "scales", "rolling_mean", "rolling_variance")]
CFG = "[net]\nwidth=1\nheight=1\nchannels=1\n[batchnorm]\n"


def safetensors(folder: Path, change: Callable[[dict[str, Any]], Any], *, length: int | None = None, extra: int = 0) -> Path:
    """Return a file of one batch norm with its header changed."""
    header: dict[str, Any] = {
        name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]} for i, name in enumerate(NAMES)
    }
    header["__metadata__"] = {"cfg": CFG}
    text = change(header)
    raw = (text if isinstance(text, str) else json.dumps(header)).encode("utf-8")
    path = folder / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + bytes(16 + extra))
    return path


def _set(name: str, field: str, value: object) -> Callable[[dict[str, Any]], Any]:
    return lambda header: header[name].update({field: value})


HEADERS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (_set(NAMES[1], "data_offsets", [0, 4]), '$["layer_0.scales"].data_offsets[0]: got 0, expected 4'),
    (_set(NAMES[1], "data_offsets", [4, 12]), '$["layer_0.scales"].data_offsets[1]: got 12, expected 8'),
    (_set(NAMES[3], "data_offsets", [12, 10**15]), "data_offsets[1]: got 1000000000000000, expected 16"),
    (_set(NAMES[3], "data_offsets", [-1, 4]), "data_offsets[0]: got -1, expected integer >= 0"),
    (_set(NAMES[3], "data_offsets", [12]), "data_offsets: got an array of 1, expected array of length 2"),
    (_set(NAMES[3], "shape", [2**40, 2**40]), "data_offsets[1]: got 16, expected 4835703278458516698824716"),
    (_set(NAMES[3], "shape", "one"), 'shape: got "one", expected array'),
    (_set(NAMES[3], "dtype", "F31"), 'dtype: got "F31", expected one of'),
    (_set(NAMES[3], "dtype", "I32"), "layer_0.rolling_variance is I32 (1,); the cfg inside expects float32 (1,)"),
    (lambda header: header.pop(NAMES[3]), "got tensors of 12 bytes, and 16 bytes after the header"),
    (lambda header: header.update({NAMES[3]: []}), '$["layer_0.rolling_variance"]: got an array of 0, expected object'),
    (lambda header: header.update(__metadata__={"cfg": 3}), "$.cfg: got 3, expected string"),
    (lambda header: header.update(__metadata__=[1]), "got an array of 1, expected object"),
    (lambda header: header.update(__metadata__={"cfg": CFG, "seen": "1" * 6000}), "seen=11111"),
    (lambda header: "[" * 90_000, "nested too deeply"),
    (lambda header: "[]", "got a header that is not an object"),
    (lambda header: '{"a": 1, "a": 1}', 'got the key "a" twice'),
]


@pytest.mark.parametrize(("change", "said"), HEADERS, ids=[said for _, said in HEADERS])
def test_a_safetensors_header_that_lies_is_one_line(
    change: Callable[[dict[str, Any]], Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Offsets must lie in the file, follow each other, and agree with dtypes and shapes."""
    path = safetensors(tmp_path, change)

    assert said in complaint(["convert", path, tmp_path / "new.cfg"], capsys)


@pytest.mark.parametrize(("length", "extra"), [(2**63, 0), (10**6, 0), (None, 1), (3, 0)])
def test_a_safetensors_file_of_another_length_is_one_line(
    length: int | None, extra: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The header's length field may be wrong, or bytes may belong to no tensor."""
    path = safetensors(tmp_path, lambda header: None, length=length, extra=extra)

    assert "not a .safetensors file" in complaint(["convert", path, tmp_path / "new.cfg"], capsys)


def test_the_safetensors_file_of_these_tests_is_read_when_nothing_is_changed(tmp_path: Path) -> None:
    """Otherwise the tests of headers would prove nothing."""
    assert read_model(safetensors(tmp_path, lambda header: None)).text == CFG
