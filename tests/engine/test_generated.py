"""Descriptions of generated kernels, which stand for their IR in the keys of the cache."""

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_random_networks import BLOCKS
from tests.networks import network
from yolodsc import engine
from yolodsc.engine import codegen
from yolodsc.engine.codegen import generated
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.kernels.conv import ConvKernel
from yolodsc.engine.selection import select_backend
from yolodsc.jit import compiler as compiling
from yolodsc.jit.compiler import Compiler
from yolodsc.jit.isa import available_isas

ALLOWED = ("yolodsc.engine.codegen", "yolodsc.arrays", "yolodsc.values", "yolodsc.jit")
CONV = ConvKernel(8, 2, 6, 32, 4, "mish", residual=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("YOLODSC_CACHE", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


@pytest.fixture
def fresh() -> Compiler:
    """A compiler that has loaded nothing."""
    isa = select_backend(None).isa
    if isa is None:
        pytest.skip("no kernels can be made here")
    return Compiler(isa)


def kernels(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All kernels that a network of many layers needs, on all instruction sets of this machine, for one and two threads."""
    found: dict[Any, None] = {}
    load = Compiler.load

    def recorded(self: Compiler, kernels: Any, progress: Any = None) -> Any:
        found.update(dict.fromkeys(kernels))
        return load(self, kernels, progress)

    monkeypatch.setattr(Compiler, "load", recorded)
    for isa in available_isas():
        for threads in (1, 2):
            engine.compile(network(BLOCKS, height=40, width=36), threads=threads, isa=isa).close()
    return list(found)


def test_kernels_with_one_description_have_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """And kernels with different texts have different descriptions."""
    made = kernels(monkeypatch)
    texts = {kernel.description(): kernel.emit("name") for kernel in made}

    assert len(made) > 20
    assert all(isinstance(kernel, GeneratedKernel) for kernel in made)
    assert len(texts) == len({kernel.emit("name") + type(kernel).__name__ for kernel in made})
    assert all(kernel.emit("name") == texts[kernel.description()] for kernel in made)


def test_generators_import_nothing_that_the_digest_misses() -> None:
    """Only this package, whose sources the digest covers, `yolodsc.jit`, which all keys cover, and types."""
    folder = Path(codegen.__file__).parent
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in getattr(node, "names", [])]
            if isinstance(node, ast.Import | ast.ImportFrom):
                own = [name for name in names if name and name.startswith("yolodsc")]
                assert all(name.startswith(ALLOWED) for name in own), (file.name, own)


def test_a_warm_start_writes_no_ir(fresh: Compiler, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second compiler finds the code without the text."""
    assert fresh.load([CONV])
    assert fresh.compiled == 1
    monkeypatch.setattr(ConvKernel, "emit", None)

    second = Compiler(fresh.isa)

    assert second.load([CONV])
    assert second.compiled == 0


def test_changed_generators_do_not_read_old_code(fresh: Compiler, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest of their sources is part of the key."""
    fresh.load([CONV])
    monkeypatch.setattr(generated, "_package_digest", lambda: "another")
    second = Compiler(fresh.isa)
    second.load([CONV])

    assert second.compiled == 1
    assert len(list(folder.glob("*.o"))) == 2


def test_one_load_checks_the_folder_once(fresh: Compiler, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many kernels it has; each later load checks it again."""
    several = [ConvKernel(8, 1, pixels, 32, 4, "linear", residual=False) for pixels in (1, 2, 3)]
    fresh.load(several)
    asked: list[int] = []
    whole = compiling.cached_codes
    monkeypatch.setattr(compiling, "cached_codes", lambda keys: (asked.append(len(keys)), whole(keys))[1])

    second = Compiler(fresh.isa)
    second.load(several)

    assert (asked, second.compiled) == ([3], 0)
