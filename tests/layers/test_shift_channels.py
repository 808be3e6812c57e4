"""[shift_channels] and the other sections of yolor, in their PyTorch reading."""

from typing import Any

import numpy as np
import pytest

from tests.networks import image, last, network
from yolodsc.engine import compile
from yolodsc.errors import CfgError


def test_adds_one_value_to_each_channel() -> None:
    """``ShiftChannel``: the layer ``from``, repeated over all pixels, plus the layer before."""
    net = network(
        "convolutional filters=4 activation=linear\nimplicit_add filters=4\nroute layers=0\nshift_channels from=1 activation=leaky"
    )
    x = image(net)

    outputs = net.forward(x)

    total = outputs[0] + net.weights[1]["weights"]
    np.testing.assert_array_equal(outputs[3], np.where(total > 0, total, np.float32(0.1) * total))


def test_control_channels_multiplies_each_channel() -> None:
    """``ControlChannel``: the values come from the layer ``from``, as opposed to [scale_channels]."""
    net = network("convolutional filters=4 activation=linear\nimplicit_mul filters=4\nroute layers=0\ncontrol_channels from=1")

    outputs = net.forward(image(net))

    np.testing.assert_array_equal(outputs[3], outputs[0] * net.weights[1]["weights"])


@pytest.mark.parametrize("kind", ["implicit_add", "implicit_mul"])
def test_implicit_sections_put_out_their_weights(kind: str) -> None:
    """``ImplicitA`` and ``ImplicitM``: one value for each filter, whatever the image."""
    net = network(f"{kind} filters=6")

    np.testing.assert_array_equal(last(net, image(net)), net.weights[0]["weights"])
    assert net.layers[0].shape == (6, 1, 1)


def test_route_lhalf_takes_the_first_half_of_the_channels_of_each_layer() -> None:
    """``FeatureConcat_l``."""
    net = network("convolutional filters=4 activation=linear\nconvolutional filters=6 activation=linear\nroute_lhalf layers=-1,0")

    outputs = net.forward(image(net))

    np.testing.assert_array_equal(outputs[2], np.concatenate([outputs[1][:3], outputs[0][:2]]))


def test_the_engine_runs_them() -> None:
    """A network in the manner of yolor equals the reference on every backend."""
    net = network(
        """
        convolutional filters=8 size=3 pad=1 batch_normalize=1 activation=silu
        implicit_add filters=8
        route layers=0
        shift_channels from=1
        convolutional filters=8 size=3 pad=1 activation=swish
        implicit_mul filters=8
        route layers=-2
        control_channels from=5 activation=linear
        route_lhalf layers=-1
        convolutional filters=4 size=1 activation=linear
        """,
        height=16,
        width=16,
    )
    x = image(net)

    for isa in (None, "none"):
        with compile(net, isa=isa) as runner:
            np.testing.assert_allclose(runner(x)[9], last(net, x), atol=2e-5)


@pytest.mark.parametrize("section", ["shift_channels", "control_channels"])
def test_values_of_another_shape_are_refused(section: str) -> None:
    """The section is named, and what it expects."""
    with pytest.raises(CfgError, match=rf"\[{section}\] .*expected 3x1x1"):
        network(f"convolutional filters=4\nroute layers=-1\nconvolutional filters=3\n{section} from=0")
    with pytest.raises(CfgError, match=rf"\[{section}\] names no layer"):
        network(f"convolutional filters=4\n{section}")


YOLOR = """
convolutional filters=8 size=3 pad=1 batch_normalize=1 activation=silu
convolutional filters=8 size=3 pad=1 stride=2 batch_normalize=1 activation=silu
implicit_add filters=8
implicit_mul filters=8
route layers=1
shift_channels from=2
control_channels from=-4
convolutional filters=6 size=1 activation=linear
route_lhalf layers=-1,-2
"""
"""The order in which yolor's cfg files use these sections: learned values, shift, control, and a half of the channels."""


def test_every_layer_equals_pytorch() -> None:
    """Modules written from the definitions of yolor's program, in float64, with the same weights."""
    torch = pytest.importorskip("torch")
    net = network(YOLOR, height=16, width=16)
    x = image(net)
    weights = [{name: torch.from_numpy(array).double() for name, array in own.items()} for own in net.weights]

    def convolution(value: Any, index: int, stride: int) -> Any:
        own = weights[index]
        padding = own["weights"].shape[-1] // 2
        raw = torch.nn.functional.conv2d(value, own["weights"], stride=stride, padding=padding)
        norm = torch.nn.functional.batch_norm(
            raw, own["rolling_mean"], own["rolling_variance"], own["scales"], own["biases"], eps=1e-5
        )
        return torch.nn.functional.silu(norm)

    out = [convolution(torch.from_numpy(x)[None].double(), 0, 1)]
    out.append(convolution(out[0], 1, 2))
    out += [weights[2]["weights"][None], weights[3]["weights"][None], out[1]]
    out.append(out[2].expand_as(out[4]) + out[4])
    out.append(out[2].expand_as(out[5]) * out[5])
    out.append(torch.nn.functional.conv2d(out[6], weights[7]["weights"], weights[7]["biases"]))
    out.append(torch.cat([half[:, : half.shape[1] // 2] for half in (out[7], out[6])], 1))

    for index, (found, expected) in enumerate(zip(net.forward(x), out, strict=True)):
        np.testing.assert_allclose(found, expected[0].numpy(), rtol=2e-5, atol=2e-5, err_msg=f"layer {index}")
