"""The check of linked programs knows the sizes of bf16 and bytes."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from tests.engine.test_bounds import EVERYTHING, Linked, changed
from tests.networks import image, network
from yolodsc.engine.runtime import compiled as compiling
from yolodsc.engine.runtime.bounds import check
from yolodsc.engine.runtime.compiled import compiled
from yolodsc.errors import EngineError
from yolodsc.jit.isa import AMX, permitted, select_isa
from yolodsc.precision import minmax_quantization

NET = f"convolutional filters=8 size=3 stride=2 pad=1 activation=leaky\n{EVERYTHING}"
"""A first convolution from the image, then every kernel."""

WRONG = {
    "AverageKernel": "x y blocks rows pixels",
    "DepthwiseKernel": "x0 x1 x2 weights biases y blocks rows tile_last",
    "DotKernel": "x weights biases y table segments groups rows tile_last",
    "InterleaveKernel": "x y rows row_x pixels",
    "TransposeKernel": "x y rows pixels",
    "MaxpoolKernel": "x y blocks rows tile_last",
    "PairKernel": "x y blocks rows pixels",
    "WindowKernel": "x y blocks rows first_row columns first_column height",
}


@pytest.fixture(scope="module", params=["bf16", "int8"])
def linked(request: pytest.FixtureRequest) -> Linked:
    """Return what the linker checks of a network in low precision, with dot products of single instructions."""
    precision, seen = request.param, []
    isa = select_isa() or pytest.skip("no kernels")
    chosen: dict[str, Any] = {name: tuple(m for m in getattr(isa, name) if m != "amx") for name in ("bf16", "int8")}
    if not chosen[precision]:
        pytest.skip(f"this processor multiplies no {precision}")
    made = network(NET, height=48, width=40)
    quantization = minmax_quantization(made, [image(made)]) if precision == "int8" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "check", lambda *arguments: seen.append(arguments))
        isa = replace(isa, **chosen)
        last = len(made.layers) - 1
        compiled(made, threads=2, outputs=[10, last], isa=isa, precision=precision, quantization=quantization)
    return seen[0]


@pytest.mark.parametrize(("kernel", "argument"), [(k, a) for k, arguments in WRONG.items() for a in arguments.split()])
def test_a_call_in_low_precision_that_leaves_its_buffers_is_refused(linked: Linked, kernel: str, argument: str) -> None:
    """Any address or count may be wrong; the unchanged program passes."""
    check(*linked)

    with pytest.raises(EngineError, match=rf"{kernel} would "):
        check(changed(linked, kernel, argument, 10**7), *linked[1:])


@pytest.mark.parametrize("kernel", ["DepthwiseKernel", "InterleaveKernel", "MaxpoolKernel", "WindowKernel"])
def test_a_call_that_reads_twice_the_width_is_refused(linked: Linked, kernel: str) -> None:
    """Elements are two bytes or one: a kernel for float32 in the same program would leave its buffers."""
    program, kernels, regions, constants = linked
    wide = {}
    for address, one in kernels.items():
        formats = {
            name: "f32" for name in ("x", "y", "dtype") if type(one).__name__ == kernel and getattr(one, name, "f32") != "f32"
        }
        wide[address] = _with_formats(one, formats)

    assert any(wide[address] is not kernels[address] for address in kernels)
    with pytest.raises(EngineError, match=kernel):
        check(program, wide, regions, constants)


def _with_formats(kernel: Any, formats: dict[str, str]) -> Any:
    """The kernel with other number formats, which keeps the names of its arguments."""
    if not formats:
        return kernel
    names = kernel.arguments
    other = replace(kernel, **formats)

    class Renamed(type(other)):  # type: ignore[misc]
        arguments = names

    Renamed.__name__ = type(other).__name__
    return Renamed(*(getattr(other, name) for name in other.__struct_fields__))


@pytest.fixture(scope="module")
def tiled() -> Linked:
    """Return what the linker checks of a network in bf16 with AMX, whose 3x3 layer has several rows in a tile."""
    isa = select_isa() or pytest.skip("no kernels")
    if AMX not in permitted(isa).bf16:
        pytest.skip("this processor has no AMX")
    layer = "convolutional filters=32 size=3 pad=1 activation=leaky\n"
    made, seen = network(f"convolutional filters=32 size=3 stride=2 pad=1 activation=leaky\n{layer}", height=20, width=20), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "check", lambda *arguments: seen.append(arguments))
        compiled(made, threads=1, outputs=[made.output], isa=isa, precision="bf16")
    assert any(getattr(kernel, "tall", 1) > 1 for kernel in seen[0][1].values())
    return seen[0]


@pytest.mark.parametrize("argument", "x weights biases y table segments groups row_last tile_last".split())
def test_a_call_of_tiles_that_leaves_its_buffers_is_refused(tiled: Linked, argument: str) -> None:
    """The last row of tiles counts as the other arguments do."""
    check(*tiled)

    with pytest.raises(EngineError, match=r"TiledKernel would "):
        check(changed(tiled, "TiledKernel", argument, 10**7), *tiled[1:])


def test_scales_of_bytes_are_checked() -> None:
    """The addresses of multipliers are constants like weights."""
    isa = select_isa() or pytest.skip("no kernels")
    made = network(NET, height=48, width=40)
    seen: list[Linked] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "check", lambda *arguments: seen.append(arguments))
        chosen = replace(isa, int8=tuple(m for m in isa.int8 if m != "amx"))
        quantization = minmax_quantization(made, [image(made)])
        compiled(made, threads=1, outputs=[made.output], isa=chosen, precision="int8", quantization=quantization)

    with pytest.raises(EngineError, match="DotKernel would read"):
        check(changed(seen[0], "DotKernel", "scales", 10**7), *seen[0][1:])
    assert np.isfinite(seen[0][0].words.astype(float)).all()
