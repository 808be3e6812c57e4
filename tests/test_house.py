"""The house's own rules."""

from pathlib import Path

from yolodsc.errors import YolodscError
from yolodsc.network.layers import LAYER_TYPES, UNSUPPORTED_TYPES

ROOT = Path(__file__).parents[1]


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


def test_importing_the_package_imports_nothing_heavy() -> None:
    """Start-up stays short: NumPy, Numba, OpenCV, SciPy and Pillow come when they are used."""
    import subprocess
    import sys

    code = "import sys, yolodsc; print([m for m in ('numpy', 'numba', 'cv2', 'scipy', 'PIL', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
