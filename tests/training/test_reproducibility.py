"""Two processes train to the same bytes, whether kernels are compiled or loaded from the cache."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from yolodsc.training.kernels.reductions import LANES, UNROLL, add_three_dots, dot, row_sum

ROOT = Path(__file__).parents[2]
LINES = """
convolutional filters=6 size=3 stride=2 pad=1 activation=leaky batch_normalize=1
convolutional filters=12 size=3 pad=1 groups=6 activation=relu6
convolutional filters=12 size=5 stride=2 pad=1 groups=12 activation=leaky batch_normalize=1
convolutional filters=12 size=3 stride=2 pad=1 groups=12 activation=leaky
convolutional filters=5 activation=linear batch_normalize=1
"""


def training_digest(statistics: str) -> str:
    """Return the digest of all arrays after three steps on random images."""
    from tests.networks import network
    from yolodsc.training.model.model import Statistics, TrainingModel
    from yolodsc.training.optimization.optimizer import Adam

    built = network(LINES, height=52, width=70)
    random = np.random.default_rng(8)
    with TrainingModel(built, outputs=[4], statistics=Statistics(statistics)) as model:
        optimizer = Adam(model.parameters)
        for _ in range(3):
            images = random.standard_normal((6, *built.input_shape)).astype(np.float32)
            model.backward({4: model.forward(images)[4]})
            optimizer.step(rate=1e-3)
        arrays = [array for layer in model.network().weights for array in layer.values()]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("statistics", ["frozen", "live"])
def test_the_first_process_after_an_installation_trains_to_the_same_bytes(tmp_path: Path, statistics: str) -> None:
    """The first process finds an empty kernel cache and compiles; the second one loads what the first has stored."""
    code = f"from tests.training.test_reproducibility import training_digest; print(training_digest({statistics!r}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "YOLODSC_CACHE": str(tmp_path / "kernels")}

    digests = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        digests.append(done.stdout)

    assert any(tmp_path.rglob("*.nb"))
    assert digests[0] == digests[1]


def lane_sum(row: np.ndarray) -> np.float32:
    """Add (n,) in the documented order, one float32 addition at a time."""
    block = LANES * UNROLL
    end = len(row) // block * block
    partial = np.zeros((UNROLL, LANES), np.float32)
    for start in range(0, end, block):
        partial = partial + row[start : start + block].reshape(UNROLL, LANES)
    lanes = tree(list(partial))
    last = len(row) // LANES * LANES
    for start in range(end, last, LANES):
        lanes = lanes + row[start : start + LANES]
    total = tree(list(lanes))
    for value in row[last:]:
        total = total + value
    return np.float32(total)


def tree(values: list[np.ndarray]) -> np.ndarray:
    """Add neighbours until one value is left."""
    while len(values) > 1:
        values = [a + b for a, b in zip(values[::2], values[1::2], strict=True)]
    return values[0]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 31, 32, 33, 100, 1023])
def test_sums_are_added_in_the_documented_order(count: int) -> None:
    """To the bit; the dot products of any number of rows differ from exact ones by rounding only."""
    rows = np.random.default_rng(count).standard_normal((4, count)).astype(np.float32)
    dots = np.ones(3, np.float32)

    add_three_dots(rows[0], rows[1], rows[2], rows[3], dots)

    assert row_sum(rows[0]) == lane_sum(rows[0])
    exact = rows[1:].astype(np.float64) @ rows[0].astype(np.float64)
    np.testing.assert_allclose(dots - 1, exact, atol=1e-4)
    np.testing.assert_allclose(dot(rows[0], rows[2]), exact[1], atol=1e-4)
    assert dot(rows[0], np.ones(count, np.float32)) == lane_sum(rows[0])
