"""Numba as a front end: a native function to LLVM IR that refers to nothing of Numba or Python.

Without Numba's runtime (``_nrt=False``) a function that neither allocates nor raises becomes a plain function of its flattened
arguments. What else its module holds (wrappers for Python, pickled exceptions) is dropped, and a thunk is added that takes the
arguments from a row of slots.
"""

import re
from collections.abc import Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
import numba
from numba import types

from yolodsc.jit.signature import Type

if TYPE_CHECKING:
    from yolodsc.jit.native import Device, Native

_FIRST = re.compile(r"^(?=[@%]|define|declare)", re.M)
"""Where a module's first function may stand; code is entered where it begins."""

_DTYPES = {"b1": types.boolean} | {np: getattr(types, name) for np, name in (
    ("i1", "int8"), ("u1", "uint8"), ("i2", "int16"), ("u2", "uint16"), ("i4", "int32"), ("u4", "uint32"),
    ("i8", "int64"), ("u8", "uint64"), ("f4", "float32"), ("f8", "float64"),
)}  # fmt: skip


def dispatcher(native: "Device[..., Any]") -> Any:
    """Numba's own function object, with everything it calls; nothing is cached on disk."""
    return _compiled(native, {}, {})


def emitted(native: "Native[..., Any]", name: str) -> str:
    """LLVM IR of ``i64 name(ptr slots)``."""
    found = _compiled(native, {}, {"_nrt": False})
    found.compile(tuple(map(_numba_type, native.signature.arguments)))
    (result,) = found.overloads.values()
    _check(native, result)
    symbol, text = result.fndesc.llvm_func_name, result.library.get_llvm_str()
    function = llvm.parse_assembly(text).get_function(symbol)
    thunk = _thunk(native, name, symbol, [str(argument.type) for argument in function.arguments])
    module = llvm.parse_assembly(_FIRST.sub(lambda _: thunk, text, count=1))
    _keep_only(module, name)
    if any(value.name.startswith(".const.picklebuf") for value in module.global_variables):
        raise TypeError(f"{native.__name__} raises an exception; native functions must not")
    return str(module)


def _check(native: "Native[..., Any]", result: Any) -> None:
    """The type of the result is part of the call; a `TypeError` where the function returns another."""
    expected = _numba_type(native.signature.result) if native.signature.result else types.none
    if result.signature.return_type != expected:
        raise TypeError(f"{native.__name__} returns {result.signature.return_type}; its signature says {expected}")


def _compiled(device: "Device[..., Any]", made: dict[int, Any], options: dict[str, Any]) -> Any:
    """A copy of the function whose globals hold dispatchers where the original's hold device functions."""
    from yolodsc.jit.native import Device

    if id(device) in made:
        return made[id(device)]
    original = device.function
    scope = {
        name: _compiled(value, made, options) if isinstance(value, Device) else value
        for name, value in original.__globals__.items()
        if name in _all_names(original)
    }
    cells = original.__closure__
    copy = FunctionType(original.__code__, scope, original.__name__, original.__defaults__, cells)
    made[id(device)] = numba.njit(
        nogil=True, error_model="numpy", fastmath=set(device.fastmath) or False,
        inline="always" if device.inline else "never", **options,
    )(copy)  # fmt: skip
    return made[id(device)]


def _all_names(function: FunctionType) -> set[str]:
    from yolodsc.jit.native import _names

    return _names(function.__code__)


def _numba_type(kind: Type) -> Any:
    number = _DTYPES[kind.dtype]
    return types.Array(number, kind.ndim, "C") if kind.ndim else number


def _thunk(native: "Native[..., Any]", name: str, symbol: str, kinds: list[str]) -> str:
    """Slots to the flattened arguments of Numba's calling convention: place of the result, of an exception, then each argument."""
    result = native.signature.result
    lines, passed = list(_result_slot(native)), ["ptr %result", "ptr %exception"]
    slot, kind = 0, iter(kinds[2:])
    for number, argument in enumerate(native.signature.arguments):
        if argument.ndim:
            passed += [f"{next(kind)} {part}" for part in _array(argument, number, slot, lines)]
        else:
            width = next(kind)
            passed.append(f"{width} {_number(number, slot, width, lines)}")
        slot += argument.slots
    lines.append(f'%status = call i32 @"{symbol}"({", ".join(passed)})')
    lines += _returned(result)
    body = "\n".join(f"  {line}" for line in lines)
    return f"define i64 @{name}(ptr %slots) {{\n{body}\n}}\n"


def _result_slot(native: "Native[..., Any]") -> Iterator[str]:
    yield "%result = alloca i64, align 8"
    yield "store i64 0, ptr %result, align 8"
    yield "%exception = alloca ptr, align 8"


def _load(lines: list[str], name: str, slot: int, kind: str) -> str:
    lines.append(f"%{name}.at = getelementptr i64, ptr %slots, i64 {slot}")
    lines.append(f"%{name} = load {kind}, ptr %{name}.at, align 8")
    return f"%{name}"


def _array(argument: Type, number: int, slot: int, lines: list[str]) -> Iterator[str]:
    """Owner, parent, count, item size, data, sides, strides."""
    data = _load(lines, f"data{number}", slot, "ptr")
    sides = [_load(lines, f"side{number}.{d}", slot + 1 + d, "i64") for d in range(argument.ndim)]
    stride, strides = argument.dtype[1:], list[str]()
    for d in reversed(range(argument.ndim)):
        strides.insert(0, stride)
        lines.append(f"%stride{number}.{d} = mul i64 {stride}, {sides[d]}")
        stride = f"%stride{number}.{d}"
    lines.append(f"%count{number} = sdiv i64 {stride}, {argument.dtype[1:]}")
    yield from ("null", "null", f"%count{number}", argument.dtype[1:], data, *sides, *strides)


def _number(number: int, slot: int, width: str, lines: list[str]) -> str:
    """A number, as narrow as the function wants it."""
    wide = "double" if width in ("float", "double") else "i64"
    value = _load(lines, f"number{number}", slot, wide)
    if width == wide:
        return value
    lines.append(f"%narrow{number} = {'fptrunc' if wide == 'double' else 'trunc'} {wide} {value} to {width}")
    return f"%narrow{number}"


def _returned(result: Type | None) -> Iterator[str]:
    if result is None:
        yield "ret i64 0"
    elif result.dtype[0] == "f":
        kind = "float" if result.dtype == "f4" else "double"
        yield f"%value = load {kind}, ptr %result, align 8"
        if kind == "float":
            yield "%wide = fpext float %value to double"
        yield f"%bits = bitcast double {'%wide' if kind == 'float' else '%value'} to i64"
        yield "ret i64 %bits"
    else:
        yield "%value = load i64, ptr %result, align 8"
        yield "ret i64 %value"


def _keep_only(module: Any, name: str) -> None:
    """Drop everything that the function ``name`` does not reach."""
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration and value.name != name:
            value.linkage = "internal"
    machine = llvm.Target.from_default_triple().create_target_machine()
    manager = llvm.create_new_module_pass_manager()
    manager.add_global_dead_code_eliminate_pass()
    manager.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
