"""The option of precision: in the library, on the command line, and in the plan's table."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import GOLDEN
from tests.networks import image, network
from yolodsc import cli, engine
from yolodsc.engine import select_backend
from yolodsc.errors import OptionError
from yolodsc.jit import permitted, select_isa
from yolodsc.network import Network
from yolodsc.precision import minmax_quantization, read_quantization, write_quantization

STEM = GOLDEN / "micro/yolo-v4"


def has_bf16() -> bool:
    """Whether this machine multiplies bf16."""
    isa = select_isa()
    return isa is not None and bool(permitted(isa).bf16)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a directory with a network and its quantization."""
    for ending in (".cfg", ".weights"):
        (tmp_path / f"net{ending}").write_bytes(STEM.with_name(f"{STEM.name}{ending}").read_bytes())
    made = Network.load(tmp_path / "net.cfg", tmp_path / "net.weights")
    write_quantization(tmp_path / "net.quant.npz", made, minmax_quantization(made, [np.abs(image(made)) / 4]))
    return tmp_path


@pytest.mark.parametrize("precision", ["int8", "int4", ""])
def test_a_precision_that_cannot_be_had_is_refused(precision: str) -> None:
    """``int8`` needs a quantization; the error names the command that makes one."""
    made = network("convolutional filters=8 size=1")

    with pytest.raises(OptionError, match=r"yolodsc quantize|expected f32, bf16, int8 or auto"):
        engine.compile(made, precision=precision)


def test_int8_on_the_command_line_needs_a_quantization(capsys: pytest.CaptureFixture[str]) -> None:
    """One line names the file that is expected."""
    status = cli.run(["summary", "--plan", "--cfg", f"{STEM}.cfg", "--weights", f"{STEM}.weights", "--precision", "int8"])

    message = capsys.readouterr().err
    assert status == 2
    assert "--precision int8: expected " in message
    assert "yolo-v4.quant.npz" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("precision", ["int8", "auto"])
def test_the_quantization_beside_a_network_is_used(precision: str, model: Path, tmp_path: Path) -> None:
    """The plan's JSON has the precision of every operation."""
    status = cli.run(["summary", "--plan", "--model", str(model), "--precision", precision, "--json", str(tmp_path / "plan.json")])

    plan = json.loads((tmp_path / "plan.json").read_text())["plan"]
    assert status == 0
    assert "int8" in {entry["precision"] for entry in plan}
    assert {entry["precision"] for entry in plan if entry["operation"] == "yolo"} <= {"f32"}


def test_auto_without_a_quantization_is_bf16_or_float32() -> None:
    """Whatever the machine has; float32 stays the default."""
    made = network("convolutional filters=8 size=3 pad=1\nconvolutional filters=8 size=1", height=20, width=20)
    precisions = {}
    for precision in ("f32", "auto", "bf16"):
        with engine.compile(made, precision=precision) as runner:
            precisions[precision] = [entry.precision for entry in runner.entries()]

    assert set(precisions["f32"]) == {"f32"}
    assert precisions["auto"] == precisions["bf16"]
    assert ("bf16" in precisions["bf16"]) == has_bf16()


def test_fastdsc_computes_in_float32(model: Path) -> None:
    """A machine without kernels runs every precision, in float32."""
    made = Network.load(model / "net.cfg", model / "net.weights")
    x = np.abs(image(made)) / 4
    with engine.compile(made, isa="none") as runner:
        expected = runner(x)

    with engine.compile(made, isa="none", precision="bf16") as runner:
        found = runner(x)

    for index, output in expected.items():
        np.testing.assert_array_equal(found[index], output)


def test_a_child_process_may_use_the_tile_registers() -> None:
    """The permission of a process holds for processes that it forks, and results agree."""
    script = """
import os, sys
import numpy as np
from tests.networks import image, network
from yolodsc import engine
made = network("convolutional filters=32 size=3 pad=1\\nconvolutional filters=40 size=3 pad=1", channels=3, height=40, width=40)
x = image(made)
with engine.compile(made, precision="bf16", threads=2) as runner:
    expected = runner(x)[1]
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(runner(x)[1], expected) else 1)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")

    done = subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[2])

    assert done.returncode == 0


def test_without_instructions_for_int8_the_network_runs_in_float32(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The float32 weights give the numbers of ``f32``."""
    made = Network.load(model / "net.cfg", model / "net.weights")
    isa = select_isa()
    if isa is None:
        pytest.skip("kernels cannot be compiled here")
    backend = replace(select_backend(None), isa=replace(isa, int8=(), bf16=()))
    monkeypatch.setattr("yolodsc.engine.selection.select_backend", lambda _: backend)
    x = np.abs(image(made)) / 4

    with engine.compile(made, precision="int8", quantization=read_quantization(model / "net.quant.npz", made)) as runner:
        found = runner(x)
    with engine.compile(made) as runner:
        expected = runner(x)

    for index, output in expected.items():
        np.testing.assert_array_equal(found[index], output)
