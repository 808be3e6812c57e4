"""Measurements of each epoch: ``history.json``, and its curves (extra ``plots``)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yolodsc.errors import OptionError
from yolodsc.files import replacing
from yolodsc.schemas import dump_json

HISTORY_FILE, HISTORY_PLOT = "history.json", "history.png"


class History:
    """Means of the loss over each epoch, with rate, speed and mAP, and the sums of the present epoch.

    Attributes
    ----------
    epochs
        One mapping for each epoch: ``epoch step heads features labels total rate seconds pictures_per_second`` and ``map`` (0..1).
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        content = state or {"epochs": [], "open": {}}
        self.epochs: list[dict[str, float]] = list(content["epochs"])
        self._open: dict[str, float] = dict(content["open"])

    def add(self, parts: Mapping[str, float], *, seconds: float, images: int) -> None:
        """Add one step."""
        for name, value in {**parts, "total": sum(parts.values()), "seconds": seconds, "pictures": images, "steps": 1}.items():
            self._open[name] = self._open.get(name, 0.0) + value

    def close(self, *, step: int, rate: float) -> dict[str, float]:
        """End an epoch and return its entry."""
        sums = self._open
        steps, seconds, images = (sums.pop(name) for name in ("steps", "seconds", "pictures"))
        entry = {"epoch": len(self.epochs) + 1.0, "step": float(step)} | {name: value / steps for name, value in sums.items()}
        entry |= {"rate": rate, "seconds": seconds, "pictures_per_second": images / seconds}
        self.epochs.append(entry)
        self._open = {}
        return entry

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"epochs": self.epochs, "open": self._open}

    def write(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write ``history.json`` with the options, and ``history.png`` if Matplotlib is installed."""
        text = dump_json({**about, "epochs": self.epochs}, file=folder / HISTORY_FILE, error=OptionError, indent=1)
        with replacing(folder / HISTORY_FILE, error=OptionError, mode="w") as file:
            file.write(text)
        self._draw(folder / HISTORY_PLOT)

    def _draw(self, path: Path) -> None:
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError:
            return
        figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
        axes = figure.add_subplot()
        for name in ("total", "heads", "features", "labels"):
            if any(name in entry for entry in self.epochs):
                axes.plot(*zip(*((e["epoch"], e[name]) for e in self.epochs if name in e), strict=True), label=name, linewidth=1.4)
        axes.set(xlabel="epoch", ylabel="loss", yscale="log")
        axes.grid(alpha=0.25)
        scored = [(entry["epoch"], 100 * entry["map"]) for entry in self.epochs if "map" in entry]
        if scored:
            right = axes.twinx()
            right.plot(*zip(*scored, strict=True), color="0.2", linestyle="--", marker=".", label="mAP")
            right.set_ylabel("mAP, %")
        figure.legend(loc="outside upper center", ncols=5, fontsize=8, frameon=False)
        with replacing(path, error=OptionError) as file:
            FigureCanvasAgg(figure).print_png(file)  # type: ignore[no-untyped-call]
