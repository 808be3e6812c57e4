"""Which module holds which targets: known without importing them, because environment and instrumentation come first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module

from tools.fuzzing.target import Target


@dataclass(frozen=True, slots=True)
class Family:
    """Targets that share a module.

    Attributes
    ----------
    module
        In `tools.fuzzing`; its ``TARGETS`` holds a `Target` for each name.
    names
    instrumented
        Modules whose branches guide libFuzzer; none where the work is done in compiled code, which is left to `explore`.
    environment
        Variables that must be set before the first import.
    seconds
        Time limit of one case.
    memory
        Address space of the process in bytes.
    """

    module: str
    names: tuple[str, ...]
    instrumented: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 5.0
    memory: int = 4 << 30


FAMILIES = (
    Family(
        "network_files",
        ("cfg", "weights", "names", "data", "tree"),
        (
            "yolodsc.darknet.cfg",
            "yolodsc.network.layer",
            "yolodsc.network.layers",
            "yolodsc.darknet.names",
            "yolodsc.network.network",
            "yolodsc.network.class_tree",
            "yolodsc.network.weights",
        ),
    ),
    Family(
        "archives",
        ("npz", "safetensors"),
        ("yolodsc.darknet.cfg", "yolodsc.convert.archives", "yolodsc.network.network", "zipfile"),
    ),
    Family("training_files", ("checkpoint",)),
    Family("labels", ("voc", "comp4", "yolo", "cartucho", "rafael"), ("yolodsc.evaluation.datasets",)),
    Family(
        "json_files",
        ("coco", "results", "compare", "journal"),
        ("yolodsc.evaluation.datasets", "yolodsc.evaluation.comparison.bootstrap", "json"),
    ),
    Family("jpeg_files", ("jpeg",), environment={"NUMBA_BOUNDSCHECK": "1"}),
    Family("images", ("png", "bmp", "gif", "webp", "tiff", "ppm")),
    Family("heads", ("heads",)),
    Family("networks", ("network",), seconds=30.0, memory=6 << 30),
)

NAMES = tuple(name for family in FAMILIES for name in family.names)
"""All targets."""


DEFECTS = Family("defects", ("defects",), seconds=1.0)
"""Not a reader: what the test of the fuzzer runs."""


def family_of(name: str) -> Family:
    """The family that has a target; a KeyError for an unknown name."""
    found = next((family for family in (*FAMILIES, DEFECTS) if name in family.names), None)
    if found is None:
        raise KeyError(name)
    return found


def target_named(name: str) -> Target:
    """The target itself; this imports what it tests."""
    module = import_module(f"tools.fuzzing.{family_of(name).module}")
    found: Target = next(target for target in module.TARGETS if target.name == name)
    return found
