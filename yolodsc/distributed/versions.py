"""Workers have the versions of this process, on which results depend."""

from typing import TYPE_CHECKING, Any

from yolodsc.errors import OptionError

if TYPE_CHECKING:
    from distributed import Client

SAME = ("yolodsc", "numpy", "numba", "llvmlite")
"""Packages that all workers need in one version: pickled networks, and kernels that are compiled for results of the same bits."""

_NOT_INSTALLED = "not installed"

_PROBE = (
    "{{name: str(getattr(__import__(name), '__version__', 'of unknown version')) "
    f"if __import__('importlib.util').util.find_spec(name) else {_NOT_INSTALLED!r} for name in {{names!r}}}}}}"
)
"""An expression, so that it runs where yolodsc is missing or another version of Python runs."""


def ensure_same_version(client: "Client") -> None:
    """Raise an `OptionError` that names the first worker with another version of a package, what it has, and what is expected."""
    expected = _versions()
    found = client.run(eval, _PROBE.format(names=SAME), on_error="return")
    for worker, versions in sorted(found.items()):
        if not isinstance(versions, dict):
            reason = " ".join(f"{type(versions).__name__}: {versions}".split())[:160]
            raise OptionError(f"worker {worker}: its versions cannot be found ({reason}); expected yolodsc {expected['yolodsc']}")
        for name, version in expected.items():
            if versions.get(name) != version:
                have = f"{name} is {_NOT_INSTALLED}" if versions.get(name) == _NOT_INSTALLED else f"{name} {versions.get(name)}"
                raise OptionError(f"worker {worker}: {have}; expected {name} {version}, as on this machine")


def _versions() -> dict[str, Any]:
    """The versions of this process."""
    return dict(eval(_PROBE.format(names=SAME)))
