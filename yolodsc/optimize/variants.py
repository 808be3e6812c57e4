"""The networks of the candidates: made once, and kept on disk for an interrupted search and for the result."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from yolodsc.arrays import Array
from yolodsc.decompose import DecomposeSettings, DecompositionPlanner, FormCosts, ProgressCallback, held_back_count, read_images
from yolodsc.files import exists
from yolodsc.network import Network, at_size
from yolodsc.optimize.measurement import ORIGINAL, Candidate
from yolodsc.optimize.settings import OptimizeSettings
from yolodsc.optimize.timings import read_timings, write_timings
from yolodsc.precision import Quantization, read_quantization, write_quantization
from yolodsc.quantize import QuantizeSettings, quantize_each
from yolodsc.values import Value

AGREEMENTS = {"int8": 0.0, "mixed": 0.99}
"""Agreement with float32 for which layers run in bf16, by precision: in ``int8`` none do."""


class Variant(Value, eq=False):
    """A network and its quantization."""

    network: Network
    quantization: Quantization | None = None


class Variants:
    """Makes and keeps the networks of one original.

    Parameters
    ----------
    paths
        Unlabelled images.
    count
        How many of them are used.
    folder
        Directory of the files, which exists.
    """

    def __init__(self, original: Network, paths: list[str], count: int, settings: OptimizeSettings, folder: Path) -> None:
        self.original, self.settings, self._paths, self._count, self._folder = original, settings, paths, count, folder
        self._images: dict[tuple[int, int], Array] = {}
        self._planners: dict[tuple[int, int], DecompositionPlanner] = {}

    def images(self, width: int, height: int) -> Array:
        """The calibration images at a size (N, C, H, W), the same ones for every size."""
        if (width, height) not in self._images:
            network = at_size(self.original, (width, height))
            self._images = {(width, height): read_images(network, self._paths, count=self._count, seed=self.settings.seed)}
        return self._images[width, height]

    def held_back(self, width: int, height: int) -> Array:
        """The images that nothing is fitted on."""
        images = self.images(width, height)
        return images[len(images) - held_back_count(len(images), self.settings.held_back) :]

    def is_made(self, candidate: Candidate) -> bool:
        """Whether the network needs no fit."""
        if candidate.precision in AGREEMENTS:
            return exists(self._path(self._calibrated_at(candidate), f"-{candidate.precision}.quant.npz"))
        return candidate.form == ORIGINAL or exists(self._path(candidate, ".weights"))

    def planner(self, width: int, height: int) -> DecompositionPlanner:
        """The planner at a size; that of another size is closed."""
        if (width, height) not in self._planners:
            self.close()
            settings = self.settings
            forms = DecomposeSettings(held_back=settings.held_back, seed=settings.seed, threads=settings.workers)
            precisions = [p for p in ("f32", "bf16", "int8") if p in settings.precisions or p == "f32"]
            network, path = at_size(self.original, (width, height)), self._folder / f"{width}x{height}-timings.json"
            planner = DecompositionPlanner(
                network,
                self.images(width, height),
                forms,
                precisions,
                costs=_complete(read_timings(path), precisions),
                threads=settings.threads,
            )
            write_timings(path, dict(planner.costs))
            self._planners[width, height] = planner.__enter__()
        return self._planners[width, height]

    def variant(self, candidate: Candidate, *, report: ProgressCallback | None = None) -> Variant:
        """The network of a candidate."""
        if candidate.precision not in AGREEMENTS:
            return Variant(self._in_float32(candidate, report))
        made = self._calibrated_at(candidate)
        if not self.is_made(candidate):
            self._quantize(made, report)
        stem = f"-{candidate.precision}"
        network = self._read(made, stem)
        quantization = read_quantization(self._path(made, f"{stem}.quant.npz"), network)
        return Variant(at_size(network, (candidate.width, candidate.height)), quantization)

    def keep(self, candidate: Candidate, network: Network) -> None:
        """Write a network that was made elsewhere, as that of a candidate."""
        network.save(self._path(candidate, ".cfg"), self._path(candidate, ".weights"))

    def close(self) -> None:
        """Release threads and samples."""
        for planner in self._planners.values():
            planner.__exit__(None, None, None)
        self._planners = {}

    def _in_float32(self, candidate: Candidate, report: ProgressCallback | None) -> Network:
        if candidate.form == ORIGINAL:
            return at_size(self.original, (candidate.width, candidate.height))
        if not exists(self._path(candidate, ".weights")):
            precision, _, share = candidate.form.partition("-")
            planner = self.planner(candidate.width, candidate.height)
            budget = float(share) * planner.whole(precision)
            self.keep(candidate, planner.decomposed(precision, budget, progress=report).network)
        return self._read(candidate, "")

    def _quantize(self, candidate: Candidate, report: ProgressCallback | None) -> None:
        """Write the network in all precisions that need a quantization."""
        network, settings = self._in_float32(candidate, report), self.settings
        each = [
            QuantizeSettings(keep_agreement=agreement, held_back=settings.held_back, seed=settings.seed, threads=settings.workers)
            for agreement in AGREEMENTS.values()
        ]
        images = self.images(candidate.width, candidate.height)
        for precision, result in zip(AGREEMENTS, quantize_each(network, images, each, progress=report), strict=True):
            end = f"-{precision}"
            result.network.save(self._path(candidate, f"{end}.cfg"), self._path(candidate, f"{end}.weights"))
            write_quantization(self._path(candidate, f"{end}.quant.npz"), result.network, result.quantization)

    def _calibrated_at(self, candidate: Candidate) -> Candidate:
        """The candidate whose quantization serves: that of the original at its own size serves at all sizes."""
        if candidate.form != ORIGINAL:
            return candidate
        _, height, width = self.original.input_shape
        return Candidate(width, height, ORIGINAL, candidate.precision)

    def _read(self, candidate: Candidate, end: str) -> Network:
        files = self._path(candidate, f"{end}.cfg"), self._path(candidate, f"{end}.weights")
        return Network.load(*files, profile=self.original.profile)

    def _path(self, candidate: Candidate, end: str) -> Path:
        return self._folder / f"{candidate.stem}{end}"


def _complete(costs: Mapping[str, FormCosts] | None, precisions: Sequence[str]) -> Mapping[str, FormCosts] | None:
    """Stored times, if they have all precisions."""
    return costs if costs is not None and set(precisions) <= set(costs) else None
