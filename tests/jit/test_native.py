"""Native functions: Python compiled once by Numba, run by later processes without it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from yolodsc.jit.native import Native, device, native

FACTOR = 3


@device
def _scaled(value: Any) -> Any:
    """A helper with a constant of the module."""
    return value * np.float32(FACTOR)


@native("f4[2] f4[2] i8 -> i8")
def scale_rows(x: Any, out: Any, count: Any) -> Any:
    """Write the first rows, scaled; returns how many numbers were written."""
    written = 0
    for y in range(count):
        for i in range(x.shape[1]):
            out[y, i] = _scaled(x[y, i])
            written += 1
    return written


@native("f8[1] f4 -> f8")
def exponentials(x: Any, shift: Any) -> Any:
    """Sum of e^(x + shift): a call into the C library."""
    total = 0.0
    for i in range(len(x)):
        total += np.exp(x[i] + shift)
    return total


@native("u1[1] i4 b1")
def fill(out: Any, value: Any, negate: Any) -> None:
    """Small integers, flags, and nothing to return."""
    out[:] = 255 - value if negate else value


def test_a_native_function_computes_what_its_python_does() -> None:
    """Arrays in and out, a helper, a constant, a result."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    out, expected = np.zeros_like(x), np.zeros_like(x)

    written = scale_rows(x, out, 2)

    assert written == scale_rows.function(x, expected, 2) == 8
    np.testing.assert_array_equal(out, expected)


def test_library_functions_are_called() -> None:
    """Results of floating-point type come back whole."""
    assert exponentials(np.zeros(5), 1.0) == pytest.approx(5 * np.e)


def test_small_integers_and_flags_arrive() -> None:
    """Slots of 8 bytes are narrowed as the signature says."""
    out = np.zeros(7, np.uint8)

    assert fill(out, 5, True) is None

    assert out.tolist() == [250] * 7


@pytest.mark.parametrize(
    "x",
    [np.zeros((3, 4)), np.zeros(4, np.float32), np.zeros((4, 3), np.float32).T, np.zeros((3, 8), np.float32)[:, ::2]],
    ids=["dtype", "dimensions", "order", "strides"],
)
def test_other_arrays_are_refused(x: Any) -> None:
    """Compiled code believes its signature, so nothing else may reach it."""
    with pytest.raises(TypeError, match="expected C-contiguous float32 of 2 dimensions"):
        scale_rows(x, np.zeros((3, 4), np.float32), 1)


def test_a_wrong_number_of_arguments_is_refused() -> None:
    """As by any function."""
    with pytest.raises((TypeError, ValueError)):
        scale_rows(np.zeros((3, 4), np.float32), 1)  # type: ignore[call-arg]


def test_the_key_follows_constants_of_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of what a helper uses, wherever that stands, is another kernel."""
    again = native("f4[2] f4[2] i8 -> i8")(scale_rows.function)
    before = Native(scale_rows.function, "f4[2] f4[2] i8 -> i8", fastmath=frozenset()).key
    assert again.key == before

    monkeypatch.setattr(sys.modules[__name__], "FACTOR", 4)
    monkeypatch.setattr(sys.modules[__name__], "_scaled", device(_scaled.function))

    assert Native(scale_rows.function, "f4[2] f4[2] i8 -> i8", fastmath=frozenset()).key != before


def test_a_function_that_raises_is_refused() -> None:
    """There is nobody to hand the exception to."""

    @native("i8 -> i8")
    def strict(x: Any) -> Any:
        if x < 0:
            raise ValueError("negative")
        return x

    with pytest.raises(TypeError, match="raises an exception"):
        strict(1)


def test_a_result_of_another_type_is_refused() -> None:
    """The type of the result is part of the call."""

    @native("f4 -> f8")
    def same(x: Any) -> Any:
        return x

    with pytest.raises(TypeError, match="returns float32"):
        same(1.0)


def test_a_later_process_needs_no_numba(tmp_path: Path) -> None:
    """The code comes from the cache, byte for byte what the first process ran."""
    code = (
        "import sys, numpy as np; from tests.jit.test_native import exponentials;"
        "print(repr(exponentials(np.linspace(0, 1, 1000), .5)), 'numba' in sys.modules, 'llvmlite.binding' in sys.modules)"
    )
    environment = os.environ | {"YOLODSC_CACHE": str(tmp_path / "kernels")}

    first, second = (
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    )

    assert first[0] == second[0]
    assert first[1] == "True"
    if sys.platform == "linux" and os.uname().machine == "x86_64":
        assert second[1:] == ["False", "False"]


@pytest.mark.parametrize("variable", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_numbas_own_variables_are_obeyed(variable: str) -> None:
    """Bounds are checked, or Python runs: an index too far is an error instead of a read of other memory."""
    code = (
        "import numpy as np; from tests.jit.test_native import scale_rows\n"
        "try: scale_rows(np.zeros((1, 4), np.float32), np.zeros((1, 4), np.float32), 3)\n"
        "except IndexError: print('refused')"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {variable: "1"}, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "refused"
