"""One ``.npz`` file that holds a training: weights, optimizer, average, history, and a digest of its options."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from yolodsc.errors import OptionError
from yolodsc.files import replacing
from yolodsc.network import Network
from yolodsc.shape import Array

FILE = "checkpoint.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The state between two steps.

    Attributes
    ----------
    digest
        Of all options that decide the result.
    step
        Steps done.
    weights
        Per layer, raw.
    optimizer, average
        What they told of themselves.
    history
        Everything that ``history.json`` has, and what is summed up for the present epoch.
    """

    digest: str
    step: int
    weights: list[dict[str, Array]]
    optimizer: dict[str, Array]
    average: dict[str, Array]
    history: dict[str, Any]

    def write(self, path: Path) -> None:
        """Put it in place of the last one in one step."""
        arrays = {f"weights/{i}/{name}": a for i, own in enumerate(self.weights) for name, a in own.items()}
        arrays |= {f"optimizer/{name}": a for name, a in self.optimizer.items()}
        arrays |= {f"average/{name}": a for name, a in self.average.items()}
        about = {"digest": self.digest, "step": self.step, "layers": len(self.weights), "history": self.history}
        with replacing(path, error=OptionError) as file:
            np.savez(file, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: Path, *, digest: str) -> "Checkpoint":
        """The last one; an `OptionError` where there is none, or one of other options."""
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            about = json.loads(str(arrays.pop("about")))
        except FileNotFoundError:
            raise OptionError(f"--resume: no checkpoint {path}") from None
        except (OSError, ValueError, KeyError, BadZipFile):
            raise OptionError(f"{path}: is no checkpoint of a training") from None
        if about["digest"] != digest:
            raise OptionError(f"{path}: of a training with other options, networks or pictures; wanted the same ones")
        weights: list[dict[str, Array]] = [{} for _ in range(about["layers"])]
        for name, array in arrays.items():
            if name.startswith("weights/"):
                _, layer, own = name.split("/")
                weights[int(layer)][own] = array
        return cls(digest, about["step"], weights, _under(arrays, "optimizer/"), _under(arrays, "average/"), about["history"])


def _under(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def digest_of(options: Mapping[str, Any], networks: tuple[Network, ...], pictures: list[str]) -> str:
    """A fingerprint of everything that decides a training's result."""
    known = hashlib.sha256(json.dumps([options, pictures], sort_keys=True, default=str).encode())
    for network in networks:
        known.update(network.cfg.format().encode("utf-8", errors="surrogateescape"))
        for own in network.weights:
            for name, array in own.items():
                known.update(name.encode())
                known.update(np.ascontiguousarray(array).tobytes())
    return known.hexdigest()
