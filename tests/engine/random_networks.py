"""Random networks for hypothesis: each layer is drawn from those that can follow."""

from hypothesis import strategies as st

from tests.networks import network
from yolodsc.arrays import Shape
from yolodsc.errors import CfgError
from yolodsc.network.network import Network
from yolodsc.network.reference.activations import ACTIVATION_NAMES

SIDES = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 11, 13, 16, 17, 20, 23, 31, 37, 41])
CHANNELS = st.one_of(st.integers(1, 70), st.sampled_from([8, 16, 24, 32, 48, 64]))
ACTIVATIONS = st.one_of(
    st.sampled_from("linear relu leaky relu6".split()),
    st.sampled_from(sorted(name for name in ACTIVATION_NAMES if name != "stair")),
)
WORK = 3_000_000
"""Most multiplications of a layer: the reference should not take long."""


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Draw up to nine layers of all kinds over a small image."""
    channels, height, width = draw(st.one_of(st.integers(1, 5), CHANNELS)), draw(SIDES), draw(SIDES)
    lines: list[str] = []
    built: Network | None = None
    for _ in range(draw(st.integers(1, 9))):
        shapes = [layer.shape for layer in built.layers] if built else []
        more = draw(following(shapes[-1] if shapes else Shape(channels, height, width), shapes))
        try:
            longer = network("\n".join([*lines, *more]), channels=channels, height=height, width=width)
        except CfgError:
            continue
        if all(layer.multiply_adds() <= WORK and layer.shape.size <= 200_000 for layer in longer.layers):
            lines, built = [*lines, *more], longer
    return built or network("convolutional filters=3 activation=leaky", channels=channels, height=height, width=width)


@st.composite
def far_networks(draw: st.DrawFn) -> Network:
    """Draw one to three layers whose windows lie far outside the input: large padding, long strides, images of one row."""
    sides = st.sampled_from([1, 1, 2, 3, 5, 8, 13, 32, 61])
    channels, height, width = draw(st.sampled_from([1, 3, 4, 5, 16, 24])), draw(sides), draw(sides)
    lines: list[str] = []
    built: Network | None = None
    for _ in range(draw(st.integers(1, 3))):
        shape = built.layers[-1].shape if built else Shape(channels, height, width)
        more = draw(far(shape))
        try:
            longer = network("\n".join([*lines, more]), channels=channels, height=height, width=width)
        except CfgError:
            continue
        if all(layer.multiply_adds() <= WORK and layer.shape.size <= 400_000 for layer in longer.layers):
            lines, built = [*lines, more], longer
    return built or network("convolutional filters=3 padding=9", channels=channels, height=height, width=width)


@st.composite
def far(draw: st.DrawFn, shape: Shape) -> str:
    """Draw a convolution, depthwise or not, or a pool that reads far outside."""
    size = draw(st.sampled_from([1, 1, 2, 3, 3, 5]))
    padding = draw(st.one_of(st.integers(size, size + 3), st.integers(0, 45)))
    stride = draw(st.sampled_from(["stride=1", "stride=1", "stride=17", "stride_x=5 stride_y=17", "stride_x=1 stride_y=40"]))
    window = f"size={size} padding={padding} {stride}"
    filters = draw(st.sampled_from([1, 3, 8, 17, 32]))
    kinds = [
        f"convolutional filters={filters} {window} {_activated(draw)}",
        f"convolutional filters={filters} {window} dilation={draw(st.integers(1, 4))} {_activated(draw)}",
        f"convolutional filters={shape.channels} groups={shape.channels} {window} {_activated(draw)}",
        f"maxpool {window}",
        f"maxpool size={size} {stride} padding={draw(st.integers(0, 2 * size))}",
    ]
    return draw(st.sampled_from(kinds))


@st.composite
def following(draw: st.DrawFn, shape: Shape, before: list[Shape]) -> list[str]:
    """Draw one layer, or a few that belong together, after an output of ``shape``."""
    kinds = [convolution, convolution, depthwise, inverted, pool, elsewhere]
    if before:
        kinds += [joined, joined]
    return draw(draw(st.sampled_from(kinds))(shape, before))


def _activated(draw: st.DrawFn) -> str:
    return f"activation={draw(ACTIVATIONS)} batch_normalize={draw(st.integers(0, 1))}"


@st.composite
def convolution(draw: st.DrawFn, shape: Shape, before: list[Shape]) -> list[str]:
    """Draw any size, strides, padding, dilation and groups."""
    del before
    size = draw(st.sampled_from([1, 1, 2, 3, 3, 3, 4, 5, 7]))
    pads = draw(st.sampled_from(["pad=1", "pad=1", "pad=0", f"padding={draw(st.integers(0, size))}"]))
    groups = draw(st.sampled_from([g for g in range(1, shape.channels + 1) if shape.channels % g == 0] + [1] * 3))
    filters = -(-draw(CHANNELS) // groups) * groups
    stride = draw(
        st.sampled_from(["stride=1", "stride=1", "stride=2", "stride=3", "stride_x=1 stride_y=2", "stride_x=2 stride_y=1"])
    )
    rest = f"dilation={draw(st.sampled_from([1, 1, 1, 2, 3]))} antialiasing={draw(st.sampled_from([0] * 9 + [1, 2]))}"
    line = f"convolutional filters={filters} size={size} {pads} groups={groups} {stride} {rest} {_activated(draw)}"
    return [line]


@st.composite
def depthwise(draw: st.DrawFn, shape: Shape, before: list[Shape]) -> list[str]:
    """Draw a depthwise layer, with or without multiplier."""
    del before
    channels, size = shape.channels, draw(st.sampled_from([1, 2, 3, 3, 3, 5, 5, 7, 11]))
    filters = channels * draw(st.sampled_from([1, 1, 1, 2, 3]))
    stride = draw(st.sampled_from(["stride=1", "stride=1", "stride=2", "stride=3", "stride_x=1 stride_y=2"]))
    rest = f"{stride} pad={draw(st.integers(0, 1))} dilation={draw(st.sampled_from([1, 1, 1, 2]))}"
    return [f"convolutional filters={filters} groups={channels} size={size} {rest} {_activated(draw)}"]


@st.composite
def inverted(draw: st.DrawFn, shape: Shape, before: list[Shape]) -> list[str]:
    """Draw expansion, depthwise layer, projection, and perhaps the residual."""
    wide, narrow = draw(CHANNELS), draw(st.sampled_from([shape.channels, shape.channels, draw(CHANNELS)]))
    size, stride = draw(st.sampled_from([3, 3, 5, 2])), draw(st.sampled_from([1, 1, 2]))
    lines = [
        f"convolutional filters={wide} size=1 {_activated(draw)}",
        f"convolutional filters={wide} groups={wide} size={size} stride={stride} pad=1 {_activated(draw)}",
        f"convolutional filters={narrow} size=1 {_activated(draw)}",
        f"shortcut from=-4 activation={draw(ACTIVATIONS)}",
    ]
    return lines[: 4 if before and (stride, narrow) == (1, shape.channels) and size % 2 else draw(st.integers(2, 3))]


@st.composite
def pool(draw: st.DrawFn, shape: Shape, before: list[Shape]) -> list[str]:
    """Draw pools of all kinds."""
    del before
    size, stride = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    padding = draw(st.sampled_from(["", "", f"padding={draw(st.integers(0, size + 1))}"]))
    kinds = [
        f"maxpool size={size} stride={stride} {padding}",
        f"maxpool size={size} stride_x={stride} stride_y={draw(st.integers(1, 3))} {padding}",
        f"maxpool size={draw(st.sampled_from([5, 9, 13]))} stride=1",
        f"maxpool maxpool_depth=1 out_channels={draw(st.integers(1, shape.channels))} size=1 stride=1",
        f"maxpool size=2 stride=2 antialiasing={draw(st.integers(0, 2))}",
        f"local_avgpool size={size} stride={stride} {padding}",
        "avgpool",
    ]
    return [draw(st.sampled_from(kinds))]


@st.composite
def elsewhere(draw: st.DrawFn, shape: Shape, before: list[Shape]) -> list[str]:
    """Draw layers of one input."""
    del before
    kinds = [
        f"upsample stride={draw(st.sampled_from([1, 2, 2, 3, 4, 5]))} scale={draw(st.sampled_from([1, 1, 0.5]))}",
        f"activation activation={draw(ACTIVATIONS)}",
        "batchnorm",
        "dropout",
        "softmax",
        "reorg stride=2",
        "normalization",
        f"connected output={draw(CHANNELS)} activation=leaky",
        f"implicit filters={draw(CHANNELS)} atoms={draw(st.integers(1, 9))}",
    ]
    heads = [n for n in (1, 2, 3) if shape.channels % n == 0 and shape.channels // n > 5]
    if heads:
        n = draw(st.sampled_from(heads))
        anchors = f"num={n} mask={','.join(map(str, range(n)))} anchors={','.join(['10,12'] * n)}"
        options = f"classes={shape.channels // n - 5} {anchors} scale_x_y={draw(st.sampled_from([1, 1.05, 1.2]))}"
        kinds += [f"yolo {options} new_coords={draw(st.integers(0, 1))}"] * 2
    return [draw(st.sampled_from(kinds))]


@st.composite
def joined(draw: st.DrawFn, shape: Shape, before: list[Shape]) -> list[str]:
    """Draw layers that read earlier layers."""
    back = [len(before) - i for i, other in enumerate(before) if other[1:] == shape[1:]]
    same = [len(before) - i for i, other in enumerate(before) if other == shape]
    gates = [len(before) - i for i, other in enumerate(before) if other.channels == shape.channels]
    chosen = draw(st.lists(st.sampled_from(back), min_size=1, max_size=4))
    groups = draw(st.sampled_from([1, 1, 2, 3, 4]))
    route = f"route layers={','.join(str(-b) for b in chosen)} groups={groups} group_id={draw(st.integers(0, groups - 1))}"
    any_layer = draw(st.integers(1, len(before)))
    from_several = ",".join(str(-b) for b in draw(st.lists(st.sampled_from(same), min_size=1, max_size=3)))
    kinds = [
        route,
        route,
        f"shortcut from={from_several} activation={draw(ACTIVATIONS)}",
        f"shortcut from={from_several} weights_type={draw(st.sampled_from(['per_layer', 'per_channel']))}",
        f"shortcut from={-any_layer} activation={draw(ACTIVATIONS)}",
        f"sam from={-draw(st.sampled_from(same))} activation={draw(ACTIVATIONS)}",
        f"route layers={-any_layer}",
    ]
    excited = ["avgpool", f"convolutional filters={shape.channels} size=1 {_activated(draw)}"]
    excited.append(f"scale_channels from={-2 - draw(st.sampled_from(gates))} activation={draw(ACTIVATIONS)}")
    section = draw(st.sampled_from(["shift_channels", "control_channels"]))
    learned = [f"implicit_add filters={shape.channels}", "route layers=-2", f"{section} from=-2 activation={draw(ACTIVATIONS)}"]
    choice = draw(st.integers(0, len(kinds) + 1))
    return ([[kind] for kind in kinds] + [excited, learned])[choice]
