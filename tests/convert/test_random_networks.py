"""Random networks of hypothesis through formats and folds."""

import numpy as np
import pytest
from hypothesis import given, settings

from tests.convert.files import pair_of
from tests.engine.random_networks import networks
from tests.networks import image
from yolodsc.arrays import Array
from yolodsc.convert.batch_norm import fold_batch_norm
from yolodsc.convert.formats import read_model, write_model
from yolodsc.convert.separable import fold_separable
from yolodsc.errors import ConversionError
from yolodsc.network.network import Network


def output(network: Network, x: Array) -> Array:
    """Return the last layer's output."""
    with np.errstate(all="ignore"):
        return network.forward(x)[-1]


@pytest.mark.slow
@settings(max_examples=60)
@given(made=networks())
def test_any_network_comes_back_byte_by_byte(made: Network, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Both formats are tested."""
    folder = tmp_path_factory.mktemp("random")
    cfg = pair_of(made, folder)

    write_model(read_model(cfg), folder / "one.npz")
    write_model(read_model(folder / "one.npz"), folder / "two.safetensors")
    write_model(read_model(folder / "two.safetensors"), folder / "three.cfg")

    assert (folder / "three.cfg").read_bytes() == cfg.read_bytes()
    assert (folder / "three.weights").read_bytes() == cfg.with_suffix(".weights").read_bytes()


@settings(max_examples=60)
@given(made=networks())
def test_any_network_puts_out_the_same_when_folded(made: Network) -> None:
    """Batch norm is folded, and so are pairs of depthwise and pointwise layers."""
    x = image(made)
    expected = output(made, x)

    folded = fold_batch_norm(made)
    try:
        folded = fold_separable(folded)
    except ConversionError as error:
        assert "nothing to fold" in str(error)

    if np.isfinite(expected).all():
        assert np.abs(output(folded, x) - expected).max() <= 1e-4 * max(np.abs(expected).max(), 1e-6)
