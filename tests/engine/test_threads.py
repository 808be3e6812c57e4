"""Threads: the same bits on any number of them, no more than there are cores, and none left behind."""

import gc
import threading
import time

import numpy as np
import pytest

from tests.engine.test_random_networks import BLOCKS, NAMES, instruction_set
from tests.networks import image, network
from yolodsc import engine
from yolodsc.cli import options
from yolodsc.detection.detector import Detector
from yolodsc.engine.fastdsc.runner import FastDscRunner
from yolodsc.engine.runtime import cores
from yolodsc.engine.runtime.fused_runner import FusedRunner
from yolodsc.network.layers import LAYER_TYPES
from yolodsc.network.network import Network

CONVOLUTIONS = """
convolutional filters=40 size=3 pad=1 activation=leaky batch_normalize=1
convolutional filters=160 size=1 activation=mish
convolutional filters=160 groups=160 size=5 pad=1 activation=swish
convolutional filters=40 size=1 activation=linear
shortcut from=-4 activation=linear
convolutional filters=160 groups=40 size=3 pad=1 stride=2 activation=relu6
convolutional filters=256 size=3 pad=1 activation=gelu
convolutional filters=256 size=3 pad=1 dilation=2 activation=elu
convolutional filters=64 groups=8 size=3 stride_x=2 stride_y=1 pad=1 activation=tanh
convolutional filters=64 size=3 pad=1 antialiasing=1 stride=2 activation=leaky
convolutional filters=64 size=3 pad=1 xnor=1 activation=linear
"""

OTHERS = """
convolutional filters=36 size=3 pad=1 activation=leaky
batchnorm
maxpool size=2 stride=2
maxpool size=5 stride=1
maxpool maxpool_depth=1 out_channels=9 size=1 stride=1
route layers=-2,-3
route layers=-1 groups=2 group_id=1
upsample stride=2
reorg stride=2
reorg3d stride=2
local_avgpool size=2 stride=1
normalization
activation activation=hard_mish
dropout
empty
convolutional filters=36 size=1 activation=linear
sam from=-1
avgpool
scale_channels from=-3
shift_channels from=-2
crop crop_height=8 crop_width=8
local filters=24 size=3 stride=1 pad=1 activation=logistic
connected output=1201 activation=leaky
connected output=37 activation=linear
softmax
implicit filters=36 atoms=1
cost
"""

HEADS = {
    "yolo": "convolutional filters=24 size=1 activation=linear\nyolo classes=3 num=3 mask=0,1,2 anchors=10,12,10,12,10,12",
    "Gaussian_yolo": "convolutional filters=36 size=1 activation=linear\n"
    "Gaussian_yolo classes=3 num=3 mask=0,1,2 anchors=10,12,10,12,10,12",
    "region": "convolutional filters=24 size=1 activation=linear\nregion classes=3 num=3 coords=4 softmax=1 anchors=1,1,2,2,3,3",
    "detection": "connected output=588 activation=linear\ndetection classes=2 coords=4 side=7 num=2 softmax=0 sqrt=1",
}
NETWORKS = {"convolutions": CONVOLUTIONS, "others": OTHERS, "blocks": BLOCKS, **HEADS}


def made(name: str) -> Network:
    """A network of the table, over an image that has several strips and parts."""
    return network(NETWORKS[name], height=64, width=72)


def test_the_networks_of_this_file_hold_every_layer_type() -> None:
    """A new layer type must be added to them."""
    here = {layer.type for name in NETWORKS for layer in made(name).layers}

    assert here == {kind.type for kind in LAYER_TYPES.values()}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", NETWORKS)
def test_fused_outputs_do_not_depend_on_the_threads(which: str, name: str) -> None:
    """Every layer, to the last bit, on 1, 2 and 3 threads."""
    built, isa = made(which), instruction_set(name)
    x, outputs = image(built), range(len(built.layers))

    found = []
    for threads in (1, 2, 3):
        with FusedRunner(built, threads=threads, outputs=outputs, isa=isa) as runner:
            found.append(runner(x))

    for index, layer in enumerate(built.layers):
        for other in found[1:]:
            assert other[index].tobytes() == found[0][index].tobytes(), f"{index} {layer.type}"


@pytest.mark.slow
@pytest.mark.parametrize("pointwise", ["flat", "im2col"])
@pytest.mark.parametrize("which", NETWORKS)
def test_fastdsc_outputs_do_not_depend_on_the_threads(which: str, pointwise: str) -> None:
    """BLAS with threads of its own would round otherwise."""
    built = made(which)
    x, outputs = image(built), range(len(built.layers))

    found = []
    for threads in (1, 2, 3):
        with FastDscRunner(built, threads=threads, outputs=outputs, pointwise=pointwise) as runner:
            found.append(runner(x))

    for index, layer in enumerate(built.layers):
        for other in found[1:]:
            assert other[index].tobytes() == found[0][index].tobytes(), f"{index} {layer.type}"


def gone(before: int) -> bool:
    """Whether there are no more threads than before, after a moment for those that are on their way out."""
    end = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < end:
        gc.collect()
        time.sleep(0.02)
    return threading.active_count() <= before


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["fused", "fastdsc"])
def test_runners_that_are_forgotten_leave_no_threads(runner: str) -> None:
    """Forty of them, none closed, each used once."""
    built = made("convolutions")
    x, before = image(built), threading.active_count()

    for _ in range(40 if runner == "fused" else 4):
        if runner == "fused":
            FusedRunner(built, threads=2, outputs=[1], isa=instruction_set(NAMES[2]))(x)
        else:
            FastDscRunner(built, threads=2, outputs=[1])(x)

    assert gone(before)


def test_detectors_that_are_forgotten_leave_no_threads() -> None:
    """Asleep or not, used or not."""
    built, before = network(HEADS["yolo"]), threading.active_count()

    detectors = [Detector(built, threads=2, streams=2) for _ in range(5)]
    detectors[0](np.zeros((8, 8, 3), np.uint8))
    time.sleep(0.1)
    del detectors

    assert gone(before)


def test_no_more_threads_are_used_than_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner says how many; streams times threads are no more than the cores either."""
    built = network(HEADS["yolo"])
    monkeypatch.setattr(cores, "available_cores", lambda: 3)

    for asked, expected in (((1024, 1024), (3, 1)), ((2, 2), (2, 1)), ((1, 1024), (1, 3)), ((1, 2), (1, 2))):
        with engine.compile(built, threads=asked[0], streams=asked[1]) as runner:
            assert (runner.threads, runner.streams) == expected


def test_the_cores_are_those_of_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    """`taskset` and containers leave a process fewer than the machine has."""
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: {1, 5}, raising=False)

    assert cores.available_cores() == 2


def test_the_command_line_says_that_fewer_threads_are_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on standard error, and the run goes on."""
    monkeypatch.setattr(cores, "available_cores", lambda: 3)

    assert options.cores(1024) == (3, 1)
    assert capsys.readouterr().err == "yolodsc: --threads 1024: 3 used, which fills the cores of this process\n"
    assert options.cores(1, 64) == (1, 3)
    assert capsys.readouterr().err == "yolodsc: --streams 64: 3 used, which fills the cores of this process\n"
    assert options.cores(1024, 64, quiet=True) == options.cores(3) == (3, 1)
    assert capsys.readouterr().err == ""
