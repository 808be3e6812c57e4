"""Random networks of hypothesis in ONNX Runtime."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from tests.engine.random_networks import networks
from tests.networks import image
from tests.onnx_export.runtime import TOLERANCE, onnx_outputs
from yolodsc.convert.onnx.export import export_onnx
from yolodsc.errors import ConversionError
from yolodsc.network.network import Network


@pytest.mark.slow
@settings(max_examples=100)
@given(made=networks())
def test_any_network_equals_the_reference(made: Network, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every layer's finite outputs agree; a [local_avgpool] window outside its map is refused."""
    path: Path = tmp_path_factory.mktemp("random") / "network.onnx"
    x = np.stack([image(made, seed=number) for number in range(2)])
    with np.errstate(all="ignore"):
        expected = [np.stack(outputs) for outputs in zip(*map(made.forward, x), strict=True)]

    try:
        export_onnx(made, path, outputs=range(len(made.layers)), dynamic_batch=True)
    except ConversionError as error:
        assert "[local_avgpool]: windows of" in str(error)
        return

    found = onnx_outputs(path, x)
    for layer in made.layers:
        seen = [expected[layer.index], *(expected[source] for source in layer.sources if source >= 0)]
        if all(np.isfinite(output).all() for output in expected[: layer.index + 1]):
            largest = max(float(np.abs(output).max()) for output in seen)
            difference = np.abs(found[f"layer_{layer.index}"] - expected[layer.index]).max()
            assert difference <= TOLERANCE * max(largest, 1e-6), layer.type
