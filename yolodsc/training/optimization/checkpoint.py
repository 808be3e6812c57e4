"""The checkpoint of a training, one ``.npz`` file: weights, optimizer, average, history, and a digest of the options."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolodsc.arrays import Array
from yolodsc.errors import OptionError
from yolodsc.files import replacing
from yolodsc.network import Network
from yolodsc.schemas import dump_json, open_npz, parse_json
from yolodsc.training.optimization.schema import check_checkpoint_info

CHECKPOINT_FILE = "checkpoint.npz"
GROUPS = ("weights", "optimizer", "average")
MAX_STEPS = 2**53


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The state between two steps.

    Attributes
    ----------
    digest
        Digest of everything that determines the result.
    step
        Number of steps done.
    weights
        Arrays of each layer, as on disk.
    optimizer, average
        Their states.
    history
        The content of ``history.json``, and the sums of the present epoch.
    """

    digest: str
    step: int
    weights: list[dict[str, Array]]
    optimizer: dict[str, Array]
    average: dict[str, Array]
    history: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write the file; it replaces an older one atomically."""
        arrays = {f"weights/{i}/{name}": a for i, layer in enumerate(self.weights) for name, a in layer.items()}
        arrays |= {f"optimizer/{name}": a for name, a in self.optimizer.items()}
        arrays |= {f"average/{name}": a for name, a in self.average.items()}
        about = {"digest": self.digest, "step": self.step, "layers": len(self.weights), "history": self.history}
        text = dump_json(about, file=path, error=OptionError)
        with replacing(path, error=OptionError) as file:
            np.savez(file, about=np.array(text), **arrays)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class StoredCheckpoint:
    """A checkpoint on disk with a valid description; its arrays are checked against those of the training when they are read.

    Attributes
    ----------
    step, history
        As in `Checkpoint`.
    """

    path: Path
    step: int
    history: dict[str, Any]

    @classmethod
    def open(cls, path: Path, *, digest: str) -> "StoredCheckpoint":
        """Open the checkpoint at a path; raise `OptionError` if it is missing, damaged, or of another training."""
        if not path.exists():
            raise OptionError(f"resume=True: no checkpoint {path}", parameter="resume")
        with open_npz(path, error=OptionError) as file:
            text = file.texts().get("about")
            unknown = next((n for n in file.entries if n != "about" and n.partition("/")[0] not in GROUPS), None)
        if text is None or unknown is not None:
            raise OptionError(f"{path}: is no checkpoint of a training ({'no about' if text is None else unknown})")
        content = parse_json(text, file=f"{path}: about", error=OptionError)
        about = check_checkpoint_info(content, file=f"{path}: about")
        if about.digest != digest:
            raise OptionError(f"{path}: of a training with other options, networks or images; expected the same ones")
        return cls(path, about.step, parse_json(text, file=path, error=OptionError)["history"])

    def check(self, *, steps: int, per_epoch: int) -> None:
        """Raise `OptionError` unless the step is one of the training's, and the history has an entry for each completed epoch."""
        epochs = steps // per_epoch + bool(steps % per_epoch) if self.step == steps else self.step // per_epoch
        for field, found, expected in (
            ("step", self.step, range(steps + 1)),
            ("history.epochs", len(self.history["epochs"]), {epochs}),
        ):
            if found not in expected:
                text = f"0 to {steps}" if field == "step" else f"{epochs} entries"
                raise OptionError(f"{self.path}: about: at $.{field}: got {found}, expected {text}")

    def weights(self, like: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
        """Return the arrays of each layer, with the names and shapes of ``like``."""
        flat = self.group("weights", {f"{i}/{name}": array for i, layer in enumerate(like) for name, array in layer.items()})
        return [{name: flat[f"{i}/{name}"] for name in layer} for i, layer in enumerate(like)]

    def group(self, group: str, like: Mapping[str, Array]) -> dict[str, Array]:
        """Return the arrays of one group of `GROUPS`.

        Names, dtypes and shapes are compared with those of ``like`` before any array is read. All elements must be finite.
        """
        prefix = f"{group}/"
        with open_npz(self.path, error=OptionError) as file:
            found = {name.removeprefix(prefix): entry for name, entry in file.entries.items() if name.startswith(prefix)}
            for name in sorted(found.keys() ^ like.keys()):
                fault = "belongs to nothing of this training" if name in found else "is missing"
                raise OptionError(f"{self.path}: {prefix}{name} {fault}")
            for name, entry in found.items():
                if (entry.dtype, entry.shape) != (like[name].dtype, like[name].shape):
                    expected = f"{like[name].dtype} {like[name].shape}"
                    raise OptionError(f"{self.path}: {prefix}{name} is {entry}; expected {expected}")
            arrays = {name: file.array(f"{prefix}{name}") for name in found}
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise OptionError(f"{self.path}: {prefix}{name} has numbers that are not finite")
            if name == "steps" and not 0 <= float(array) < MAX_STEPS:
                raise OptionError(f"{self.path}: {prefix}{name} is {float(array):g}; expected 0 to {MAX_STEPS}")
        return arrays


def digest_of(options: Mapping[str, Any], networks: tuple[Network, ...], images: list[str]) -> str:
    """Return a digest of everything that determines the result of a training."""
    digest = hashlib.sha256(json.dumps([options, images], sort_keys=True, default=str, allow_nan=False).encode())
    for network in networks:
        digest.update(network.cfg.format().encode("utf-8", errors="surrogateescape"))
        for layer in network.weights:
            for name, array in layer.items():
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
