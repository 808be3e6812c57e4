"""`Classification`: the class probabilities of one image."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.values import Value


class ClassScore(Value):
    """One class and its probability."""

    class_id: int
    name: str
    score: float


class Classification(Value, eq=False):
    """Probabilities of all classes of one image; a list of `ClassScore`, best first.

    Attributes
    ----------
    probabilities : (K,) float32
        By class number.
    names : tuple of str
        Names of the classes.
    path : str or None
        The file of the image.
    image : (H, W, C) uint8 or None
        The image.
    """

    probabilities: Array
    names: tuple[str, ...]
    path: str | None = None
    image: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.probabilities)

    def __getitem__(self, rank: int) -> ClassScore:
        """The class of a rank, 0 for the best."""
        return self._scored(int(self._order()[rank]))

    def __iter__(self) -> Iterator[ClassScore]:
        return map(self._scored, self._order().tolist())

    def __repr__(self) -> str:
        best = ", ".join(f"{one.name} {one.score:.3f}" for one in self.top(3))
        return f"Classification({f'{self.path}: ' if self.path else ''}{best}{', …' if len(self) > 3 else ''})"

    def top(self, k: int = 5) -> list[ClassScore]:
        """The ``k`` most probable classes, best first; of equal ones the first (``utils.c: top_k``)."""
        return [self._scored(class_id) for class_id in self._order()[: max(0, k)].tolist()]

    def to_dict(self, *, top: int | None = None) -> dict[str, Any]:
        """The classification as JSON values, best first: ``path`` and a list ``classes``."""
        chosen = self.top(len(self) if top is None else top)
        classes = [{"class_id": one.class_id, "name": one.name, "score": one.score} for one in chosen]
        return {"path": self.path, "classes": classes}

    def to_json(self, *, top: int | None = None, indent: int | None = None) -> str:
        """`to_dict` as JSON text."""
        from yolodsc.detection.results.export import json_text

        return json_text(self.to_dict(top=top), indent=indent)

    def _order(self) -> NDArray[np.intp]:
        return np.argsort(-self.probabilities, kind="stable")

    def _scored(self, class_id: int) -> ClassScore:
        name = self.names[class_id] if class_id < len(self.names) else str(class_id)
        return ClassScore(class_id, name, float(self.probabilities[class_id]))
