"""The search on a model of what candidates cost and how good they are."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.decomposable import CHAIN, network
from yolodsc.decompose import FactorizationChoice, FormCosts
from yolodsc.errors import OptionError
from yolodsc.optimize.journal import SearchJournal
from yolodsc.optimize.measurement import (
    BF16,
    COMBINED,
    DECOMPOSED,
    INT8,
    SMALLER,
    Candidate,
    Measurement,
    baseline_of,
    best_within,
    fastest_of,
    pareto_front,
)
from yolodsc.optimize.search import Search, input_sizes
from yolodsc.optimize.settings import OptimizeSettings
from yolodsc.optimize.timings import read_timings, write_timings

SIZES = [(320, 320), (256, 256), (192, 192)]
SPEED = {"f32": 1.0, "bf16": 0.5, "mixed": 0.4, "int8": 0.3}
LOST = {"f32": 0.0, "bf16": 0.001, "mixed": 0.002, "int8": 0.004}


class ModelledMeasures:
    """Time is proportional to pixels and share; quality falls with smaller inputs and shares, and a little with precision."""

    def __init__(self, *, by_size: float = 0.1, by_share: float = 0.02, shortest: float = 0.4, fits: int = 1000) -> None:
        self.by_size, self.by_share, self.least_share, self.fits = by_size, by_share, shortest, fits
        self.remaining = 0.0
        self.found: dict[Candidate, Measurement] = {}
        self.original = self.measure(Candidate(320, 320, "original", "f32"))

    @property
    def measurements(self) -> list[Measurement]:
        return list(self.found.values())

    @property
    def plans(self) -> set[str]:
        return {m.candidate.stem for m in self.measurements if m.candidate.form != "original"}

    def allows(self, candidate: Candidate) -> bool:
        return candidate.form == "original" or len(self.plans) < self.fits

    def measure(self, candidate: Candidate) -> Measurement:
        share = 1.0 if candidate.form == "original" else float(candidate.form.split("-")[1])
        area = candidate.width * candidate.height / 320**2
        quality = 0.8 - self.by_size * (1 - area) - self.by_share * (1 - share) / 0.5 - LOST[candidate.precision]
        found = Measurement(
            candidate=candidate,
            milliseconds=10 * area * share * SPEED[candidate.precision],
            agreement=quality,
            multiply_adds=int(1e6 * area * share),
        )
        self.found[candidate] = found
        return found

    def shortest(self, width: int, height: int, precision: str) -> float:
        return self.least_share


def test_keeping_the_quality_finds_a_faster_network_than_any_original() -> None:
    """Where decomposition loses little, the choice is decomposed, keeps the threshold, and all baselines are measured."""
    measures = ModelledMeasures()
    search = Search(measures, SIZES, OptimizeSettings(keep=0.97))

    search.run()
    chosen, reached = search.chosen()

    assert reached
    assert chosen.quality >= 0.97 * measures.original.quality
    originals = [m for m in measures.measurements if m.candidate.form == "original"]
    assert chosen.milliseconds < min(m.milliseconds for m in originals if m.quality >= 0.97 * measures.original.quality)
    assert {baseline_of(m, measures.original) for m in measures.measurements} >= {SMALLER, BF16, INT8, COMBINED, DECOMPOSED}


def test_sizes_that_lose_too_much_are_not_decomposed() -> None:
    """Their originals miss the threshold already."""
    measures = ModelledMeasures(by_size=1.0)

    Search(measures, SIZES, OptimizeSettings(keep=0.99)).run()

    assert measures.plans
    assert all(stem.startswith("320x320") for stem in measures.plans)


@given(st.floats(0.3, 9.0), st.floats(0.01, 0.5), st.floats(0.0, 0.2))
def test_budgets_are_met_by_the_best_that_was_measured(budget: float, by_size: float, by_share: float) -> None:
    """The choice takes at most the budget, and nothing measured within the budget is better."""
    measures = ModelledMeasures(by_size=by_size, by_share=by_share)
    search = Search(measures, SIZES, OptimizeSettings(budget_ms=budget))

    search.run()
    chosen, reached = search.chosen()

    fitting = [m for m in measures.measurements if m.milliseconds <= budget]
    assert reached == bool(fitting)
    if fitting:
        assert chosen.quality == max(m.quality for m in fitting)
    else:
        assert chosen.milliseconds == min(m.milliseconds for m in measures.measurements)


def test_precisions_that_are_not_asked_for_are_not_chosen() -> None:
    """The float32 original is measured as the reference, the other precisions not at all."""
    measures = ModelledMeasures()
    search = Search(measures, SIZES, OptimizeSettings(keep=0.9, precisions=("bf16",)))

    search.run()

    assert search.chosen()[0].candidate.precision == "bf16"
    assert {m.candidate.precision for m in measures.measurements} == {"f32", "bf16"}


def test_searches_end_when_the_time_is_over() -> None:
    """Candidates that need a fit are left out; the originals still give a choice."""
    measures = ModelledMeasures(fits=0)
    search = Search(measures, SIZES, OptimizeSettings(keep=0.99))

    search.run()

    assert not measures.plans
    assert search.chosen()[1]


def test_searches_before_training_look_for_faster_networks() -> None:
    """What training brings back may be missing, so plans are faster than those that must keep the quality by themselves."""
    fastest = []
    for epochs in (0.0, 5.0):
        measures = ModelledMeasures(by_share=0.06)
        Search(measures, SIZES[:1], OptimizeSettings(keep=0.99, epochs=epochs)).run()
        fastest.append(min(float(stem.split("-")[-1]) for stem in measures.plans if "int8" in stem))

    assert fastest[1] < fastest[0]


def test_training_starts_from_a_network_that_lost_a_little() -> None:
    """With fine-tuning, faster networks than the untrained choice are made, and one of them is trained."""
    measures = ModelledMeasures(by_share=0.05)
    search = Search(measures, SIZES, OptimizeSettings(keep=0.99, epochs=2.0))

    search.run()
    start = search.to_train()

    assert start is not None
    assert start.candidate.form != "original"
    assert start.quality >= (0.99 - 0.08) * measures.original.quality


def some(milliseconds: float, quality: float, *, width: int = 320) -> Measurement:
    """A measurement of which only time and quality matter."""
    candidate = Candidate(width, 320, "original", "f32")
    return Measurement(candidate=candidate, milliseconds=milliseconds, agreement=quality, multiply_adds=1)


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0, 1)), min_size=1, max_size=20))
def test_the_front_holds_what_nothing_beats(pairs: list[tuple[float, float]]) -> None:
    """Each member is better than all that are as fast; everything else is beaten by a member."""
    measurements = [some(ms, quality) for ms, quality in pairs]

    front = pareto_front(measurements)

    assert all(a.milliseconds < b.milliseconds and a.quality < b.quality for a, b in itertools.pairwise(front))
    assert all(any(f.milliseconds <= m.milliseconds and f.quality >= m.quality for f in front) for m in measurements)
    assert best_within(measurements, 0.0) is None
    assert fastest_of(measurements, 2.0) is None


def test_input_sizes_are_multiples_of_the_stride() -> None:
    """The network's own size is the first; the others are smaller."""
    net = network(CHAIN).resized(64, 96)

    sizes = input_sizes(net)

    assert sizes[0] == (96, 64)
    assert len(sizes) > 3
    assert all(w % 2 == h % 2 == 0 and w * h < 96 * 64 for w, h in sizes[1:])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"keep": 0.9, "budget_ms": 1.0},
        {"keep": 1.5},
        {"budget_ms": 0.0},
        {"keep": 0.9, "epochs": -1.0},
        {"keep": 0.9, "minutes": 0.0},
    ],
)
def test_goals_are_checked(fields: dict[str, float]) -> None:
    """One goal, and numbers in their ranges."""
    with pytest.raises(OptionError):
        OptimizeSettings(**fields)  # type: ignore[arg-type]


def test_the_journal_keeps_measurements(tmp_path: Path) -> None:
    """A journal that is opened again has them, without a line that was cut off; another search is refused."""
    path, settings = tmp_path / "journal.jsonl", {"seed": 0, "input": [3, 32, 32]}
    first = some(1.5, 0.75)
    SearchJournal(path, settings).add(first)
    with path.open("a") as file:
        file.write('{"candidate": {"wid')

    journal = SearchJournal(path, settings)

    assert journal.found == {first.candidate: first}
    second = some(2.5, 0.5, width=64)
    journal.add(second)
    assert list(SearchJournal(path, settings).found.values()) == [first, second]
    with pytest.raises(OptionError, match="other settings, seed: 0, now 1"):
        SearchJournal(path, settings | {"seed": 1})


@pytest.mark.parametrize(
    ("field", "value"), [("milliseconds", -1), ("agreement", "x"), ("candidate", {"width": 0}), ("multiply_adds", 1.5)]
)
def test_journals_of_nonsense_are_refused(field: str, value: object, tmp_path: Path) -> None:
    """One line says which line is wrong."""
    path, settings = tmp_path / "journal.jsonl", {"seed": 0}
    SearchJournal(path, settings).add(some(1.0, 0.5))
    lines = path.read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | {field: value})
    path.write_text("\n".join(lines) + "\n")

    with pytest.raises(OptionError, match=r"journal.jsonl:2: at "):
        SearchJournal(path, settings)


def test_baselines_are_single_parts() -> None:
    """Each candidate of one part has the name of that part; what the search made has none."""
    original = some(1.0, 1.0)
    names = {
        baseline_of(replace(original, candidate=Candidate(side, 320, form, precision)), original)  # type: ignore[arg-type]
        for side, form, precision in (
            (160, "original", "f32"),
            (320, "original", "bf16"),
            (320, "original", "int8"),
            (160, "original", "int8"),
            (320, "f32-0.500", "f32"),
            (320, "int8-0.500", "int8"),
        )
    }

    assert names == {SMALLER, BF16, INT8, COMBINED, DECOMPOSED, ""}


def test_times_of_forms_are_kept(tmp_path: Path) -> None:
    """What is read is what was written; pruned layers may save more than they take; nonsense is refused in one line."""
    path = tmp_path / "timings.json"
    forms = {FactorizationChoice("keep"): 1.0, FactorizationChoice("tucker", 16, 32): 0.5, FactorizationChoice("prune", 16): -0.1}
    costs = {precision: FormCosts({0: forms, 3: dict(forms)}, 0.25) for precision in ("f32", "int8")}

    write_timings(path, costs)
    found = read_timings(path)

    assert found is not None
    assert {p: (c.layers, c.rest) for p, c in found.items()} == {p: (c.layers, c.rest) for p, c in costs.items()}
    path.write_text(path.read_text().replace("tucker", "unknown"))
    with pytest.raises(OptionError, match="expected a method"):
        read_timings(path)
    assert read_timings(tmp_path / "none.json") is None
