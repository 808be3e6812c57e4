"""Kernels for 64-bit ARM: LLVM compiles them on any machine, and the test inspects the code."""

import platform
from typing import Any

import pytest

from tests.engine.test_random_networks import BLOCKS
from tests.networks import image, network
from yolodsc.engine.codegen.kernels.worker import HelperKernel, LeadKernel, WorkerKernel
from yolodsc.engine.operations.operation import LoweringContext
from yolodsc.engine.plan.placement import placed
from yolodsc.engine.plan.planner import planned
from yolodsc.engine.runtime.program import kernels_of
from yolodsc.jit.isa import Isa
from yolodsc.precision import minmax_quantization

TRIPLE = "aarch64-unknown-linux-gnu"
NEON = Isa("neon", "neoverse-n1", "", 32, ((4, 1.0),))


@pytest.fixture(scope="module")
def machine() -> Any:
    """Return LLVM's code generator for 64-bit ARM."""
    llvm = pytest.importorskip("llvmlite.binding")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple(TRIPLE)
    except RuntimeError as reason:
        pytest.skip(f"this LLVM has no ARM: {reason}")
    return target.create_target_machine(cpu=NEON.cpu, features="", opt=3, reloc="pic", codemodel="small")


def kernels() -> list[Any]:
    """Return all kernels of a network with many kinds of layers."""
    made = network(BLOCKS, height=96, width=100)
    plan = placed(planned(made, [len(made.layers) - 1], NEON), file="test.cfg").plan
    context = LoweringContext(NEON, 2)
    phases = [phase for operation in plan.operations for phase in operation.lower(context).phases]
    return [*kernels_of(phases), WorkerKernel(), LeadKernel(), HelperKernel()]


def test_kernels_compile_for_neon_without_calls_and_spills(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles fit the registers and activations need no library; only the worker calls functions: kernels, and the system's yield."""
    import llvmlite.binding as llvm

    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    made = {kernel: kernel.emit("kernel") for kernel in kernels()}

    for kernel, text in made.items():
        module = llvm.parse_assembly(text)
        module.triple = TRIPLE
        lines = machine.emit_assembly(module).splitlines()
        operations = [line.split()[0] for line in lines if line.startswith("\t") and not line.startswith("\t.")]
        kind = type(kernel).__name__

        assert "bl" not in operations, kind
        if kind in {"ConvKernel", "DepthwiseKernel"}:
            assert "fmla" in operations, kind
            assert not [line for line in lines if "Spill" in line], kind
    assert len(made) > 15


LOW = Isa("neon", "neoverse-v1", "", 32, ((4, 1.0),), ("bfdot",), ("sdot",))


@pytest.mark.parametrize(("precision", "instruction"), [("bf16", "bfdot"), ("int8", "sdot")])
def test_kernels_in_low_precision_compile_for_neon(precision: str, instruction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dot products are single instructions, and nothing calls a library."""
    llvm = pytest.importorskip("llvmlite.binding")
    try:
        target = llvm.Target.from_triple(TRIPLE)
    except RuntimeError as reason:
        pytest.skip(f"this LLVM has no ARM: {reason}")
    machine = target.create_target_machine(cpu=LOW.cpu, features="", opt=3, reloc="pic", codemodel="small")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    made = network(f"convolutional filters=8 size=3 stride=2 pad=1 activation=leaky\n{BLOCKS.strip()}", height=96, width=100)
    quantization = minmax_quantization(made, [image(made)]) if precision == "int8" else None
    plan = placed(planned(made, [made.output], LOW, precision, quantization), file="test.cfg").plan
    phases = [phase for operation in plan.operations for phase in operation.lower(LoweringContext(LOW, 2)).phases]

    operations: list[str] = []
    for kernel in kernels_of(phases):
        module = llvm.parse_assembly(kernel.emit("kernel"))
        module.triple = TRIPLE
        lines = machine.emit_assembly(module).splitlines()
        operations += [line.split()[0] for line in lines if line.startswith("\t") and not line.startswith("\t.")]

    assert instruction in operations
    assert "bl" not in operations
