"""Rules of the project that no other tool checks: sizes, names, words, and who prints."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from yolodsc.errors import YolodscError
from yolodsc.network.layers import LAYER_TYPES, UNSUPPORTED_TYPES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "yolodsc"
SOURCES = sorted(PACKAGE.rglob("*.py"))
SOURCE_NAMES = [str(path.relative_to(ROOT)) for path in SOURCES]

MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 50
MAX_NESTING = 4
MAX_FILES = 13

TABLES = {"yolodsc/network/layers", "yolodsc/cli"}
"""Packages with one file for each section type or subcommand."""

UNSPLIT_KERNELS = {
    "yolodsc/evaluation/metrics/greedy.py": "greedy_outcomes",
}
"""Compiled kernels that stay whole: with helper functions the first takes 3 to 5 times as long, the others up to 7 % longer."""

PRIVATE_PROSE = frozenset(
    "bend bends bending bent unbend unbends slopes tape tapes quad quads twin twins splat crew crews shelf shelves landmark "
    "landmarks lift lifts told tells wanted want wants strange site sites margin margins house staircase places spread span".split()
)
"""Words that the field does not use for what they named here; they appear nowhere in the package, comments included."""

PRIVATE_WORDS = PRIVATE_PROSE | frozenset(
    "place picture pictures again least most apart tell room spans reach reaches plane".split()
)
"""Words that are English in prose or keys of file formats, but no parts of identifiers."""

RUNS_THE_COMMAND_LINE = PACKAGE / "bench/startup.py"
"""Starts `yolodsc detect` in processes of its own, so it passes options."""

MAY_PRINT = ("yolodsc/cli/", "yolodsc/bench/worker.py", "yolodsc/__main__.py")

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match, Function)


def test_every_layer_file_has_a_test_file() -> None:
    """And the other way round."""
    layers = {path.stem for path in (ROOT / "yolodsc/network/layers").glob("*.py")} - {"__init__"}
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests/layers").glob("test_*.py")}

    assert layers == tests


def test_every_layer_is_in_the_table_under_its_own_name() -> None:
    """Aliases come on top."""
    assert all(LAYER_TYPES[kind.type] is kind for kind in LAYER_TYPES.values())
    assert not UNSUPPORTED_TYPES & set(LAYER_TYPES)


def test_the_error_tree_is_drawn_at_the_top_of_its_file() -> None:
    """Every class of the tree is in the drawing."""
    from yolodsc import errors

    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, YolodscError)]

    assert all(kind.__name__ in (errors.__doc__ or "") for kind in classes)


def test_advice_names_libraries_that_the_extras_install() -> None:
    """Every extra that an error names has a library; those of pyproject.toml are the same."""
    import tomllib

    from yolodsc.errors import EXTRAS

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {extra for path in SOURCES for extra in re.findall(r'MissingExtraError\("(\w+)"', path.read_text())}

    assert named == set(EXTRAS)
    assert all(EXTRAS[extra] in declared[extra] for extra in EXTRAS if extra in declared)


def test_importing_the_package_imports_nothing_heavy() -> None:
    """Start-up stays short: NumPy, Numba, OpenCV, SciPy and Pillow come when they are used."""
    import subprocess
    import sys

    code = "import sys, yolodsc; print([m for m in ('numpy', 'numba', 'cv2', 'scipy', 'PIL', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_packages_are_small() -> None:
    """A package has at most 13 Python files at one level, `__init__` not counted; tables may have more."""
    counts = Counter(str(path.parent.relative_to(ROOT)) for path in SOURCES if path.stem != "__init__")

    assert {name: count for name, count in counts.items() if count > MAX_FILES and name not in TABLES} == {}


@pytest.mark.parametrize("path", SOURCES, ids=SOURCE_NAMES)
def test_files_and_functions_are_small(path: Path) -> None:
    """At most 250 lines a file, 50 lines a function, 4 blocks inside each other."""
    text = path.read_text()
    unsplit = UNSPLIT_KERNELS.get(str(path.relative_to(ROOT)), "").split()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, Function) and node.name not in unsplit]

    long = {node.name: length for node in functions if (length := _length(node)) > MAX_FUNCTION_LINES}
    deep = {node.name: depth for node in functions if (depth := _depth(node.body)) > MAX_NESTING}

    assert len(text.splitlines()) <= MAX_FILE_LINES
    assert long == {}
    assert deep == {}


def test_the_measures_count_what_they_should() -> None:
    """`elif` and `else` are no deeper than their `if`; nested functions and branches of `try` are."""
    flat = ast.parse("def f(x):\n if x:\n  a\n elif x:\n  b\n else:\n  c\n").body[0]
    deep = ast.parse("def f(x):\n for a in x:\n  try:\n   a\n  except E:\n   while a:\n    b\n").body[0]

    assert isinstance(flat, Function)
    assert isinstance(deep, Function)
    assert (_depth(flat.body), _length(flat)) == (1, 7)
    assert _depth(deep.body) == 3
    assert set(_words("fooBar _MAX_size HTTPServer x2")) >= {"foo", "bar", "max", "size", "http", "server"}


def test_every_class_name_has_one_meaning() -> None:
    """Two classes of the package never share a name."""
    classes: dict[str, list[str]] = defaultdict(list)
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert {name: found for name, found in classes.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", SOURCES, ids=SOURCE_NAMES)
def test_identifiers_use_the_words_of_the_field(path: Path) -> None:
    """No identifier, file name or package name has a private word as one of its parts."""
    identifiers = {*_identifiers(ast.parse(path.read_text())), *path.relative_to(PACKAGE).with_suffix("").parts}

    assert sorted(name for name in identifiers if not PRIVATE_WORDS.isdisjoint(_words(name))) == []


@pytest.mark.parametrize("path", SOURCES, ids=SOURCE_NAMES)
def test_prose_uses_the_words_of_the_field(path: Path) -> None:
    """No docstring, comment or message has a private word."""
    lines = enumerate(path.read_text().splitlines(), 1)

    assert [f"{number}: {word}" for number, line in lines for word in _words(line) if word in PRIVATE_PROSE] == []


@pytest.mark.parametrize("path", SOURCES, ids=SOURCE_NAMES)
def test_only_the_command_line_mentions_options(path: Path) -> None:
    """Errors, docstrings and comments of the library name parameters, not ``--options``."""
    if "yolodsc/cli/" in str(path) or path.name == "__main__.py" or path == RUNS_THE_COMMAND_LINE:
        return
    found = re.findall(r"(?<![\w-])--[a-z][a-z-]*", path.read_text())

    assert found == []


@pytest.mark.parametrize("path", SOURCES, ids=SOURCE_NAMES)
def test_only_the_command_line_prints(path: Path) -> None:
    """Library code returns values; the command line and the worker process of `bench` write to the standard streams."""
    if str(path.relative_to(ROOT)).startswith(MAY_PRINT):
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]

    assert [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"] == []
    assert "sys.stdout.write" not in path.read_text()


def _length(function: Function) -> int:
    """Lines of a function with its docstring, without decorators."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _depth(body: list[ast.stmt]) -> int:
    """How many blocks stand inside each other."""
    return max((_block_depth(node) for node in body if isinstance(node, BLOCKS)), default=0)


def _block_depth(node: ast.stmt) -> int:
    bodies = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
    bodies += [part.body for part in (*getattr(node, "handlers", []), *getattr(node, "cases", []))]
    depths = []
    for body in bodies:
        chained = isinstance(node, ast.If) and body is node.orelse and len(body) == 1 and isinstance(body[0], ast.If)
        depths.append(_depth(body) - chained)
    return 1 + max(depths)


def _identifiers(tree: ast.AST) -> Iterator[str]:
    """Names that a module binds or uses; attributes only where they are assigned, because libraries have their own words."""
    for node in ast.walk(tree):
        match node:
            case ast.Name():
                yield node.id
            case ast.arg():
                yield node.arg
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr
            case ast.alias():
                yield node.asname or ""


def _words(name: str) -> list[str]:
    """Parts of an identifier in snake or camel case, in lower case."""
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
