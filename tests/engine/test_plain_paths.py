"""FastDSC's compiled loops with bounds checks, in a separate process, since Numba reads the setting at import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import numpy as np
from tests.engine.test_random_networks import BLOCKS, error
from tests.networks import network, image
from yolodsc import engine
import numba

assert numba.config.BOUNDSCHECK == 1
shapes = {
    "odd sides": network(BLOCKS, height=19, width=23),
    "one pixel": network(BLOCKS, height=1, width=1),
    "depthwise": network(
        '''
convolutional filters=6 size=3 pad=1 activation=relu6 batch_normalize=1
convolutional filters=6 groups=6 size=5 pad=1 stride=2 activation=leaky
convolutional filters=12 groups=6 size=3 pad=1 stride=2 activation=mish
convolutional filters=12 groups=12 size=3 pad=1 dilation=2 activation=linear
convolutional filters=12 groups=12 size=2 activation=swish
convolutional filters=8 groups=4 size=3 pad=1 activation=relu
''',
        height=21,
        width=18,
    ),
}
for name, made in shapes.items():
    x, last = image(made), len(made.layers) - 1
    with engine.compile(made, outputs=range(last + 1), isa="none") as runner:
        found = runner(x)
    expected = made.forward(x)
    for index in range(last + 1):
        assert error(made, index, found[index], expected) < 1e-5, (name, index)
print("within bounds")
"""


@pytest.mark.slow
def test_no_index_of_the_plain_paths_leaves_its_array(tmp_path: Path) -> None:
    """NUMBA_BOUNDSCHECK=1 raises IndexError otherwise."""
    root = Path(__file__).parents[2]
    numba = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(root)}

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=root,
        env={**os.environ, **numba},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.stdout.strip() == "within bounds", done.stderr
