"""Cfg files that Darknet repositories ship, against the layer tables that Darknet builds; needs the reference material."""

from pathlib import Path

import pytest

from tests.conftest import SHARED
from yolodsc.darknet.cfg import parse_cfg, read_cfg
from yolodsc.errors import CfgError
from yolodsc.network.network import Network

CFGS = sorted((SHARED / "data/golden/cfgs").glob("*.cfg"))
WITHOUT_SHAPE = {"softmax", "cost", "detection"}
"""Types for which Darknet leaves channels, height and width at 0."""

PRINTED = {"reorg3d": "reorg"}
"""What Darknet calls a type in its table, where that is not the section's name."""

pytestmark = pytest.mark.skipif(not CFGS, reason=f"needs the reference material in {SHARED}")


@pytest.mark.slow
@pytest.mark.parametrize("path", CFGS, ids=lambda path: path.stem)
def test_layer_table_equals_darknets(path: Path) -> None:
    """Type, shape, outputs and BFLOPs of every layer; recurrent layers and missing class trees are refused by name."""
    table = path.with_suffix(".shapes")
    try:
        network = Network.build(read_cfg(path))
    except CfgError as error:
        assert any(word in str(error) for word in ("not supported", "no such file"))
        return
    if not table.exists():
        return

    rows = [line.split() for line in table.read_text().splitlines()[1:]]

    assert len(rows) == len(network.layers)
    for layer, (index, kind, *numbers, bflops) in zip(network.layers, rows, strict=True):
        channels, height, width, outputs = map(int, numbers)
        assert layer.index == int(index)
        # "none" is what Darknet prints for types that it has no name for: upsample, reorg, local_avgpool
        assert kind in (PRINTED.get(layer.type, layer.type), "none")
        assert layer.shape.size == outputs
        if layer.type not in WITHOUT_SHAPE:
            assert tuple(layer.shape) == (channels, height, width)
        assert layer.bflops() == pytest.approx(float(bflops), abs=6e-4), layer.type


@pytest.mark.parametrize("path", CFGS, ids=lambda path: path.stem)
def test_format_then_parse_is_the_identity(path: Path) -> None:
    """Whatever is shipped survives being written."""
    document = read_cfg(path)

    assert parse_cfg(document.format()) == document
