"""Targets: what describes a network, and lists of names."""

from contextlib import suppress

import numpy as np

from tools.fuzzing import scratch
from tools.fuzzing.cfg_text import TOKENS, mutated_cfg
from tools.fuzzing.target import Target
from yolodsc.darknet.cfg import parse_cfg, read_cfg
from yolodsc.darknet.names import read_data_names, read_names
from yolodsc.errors import WeightsError
from yolodsc.network.class_tree import read_tree
from yolodsc.network.network import Network

_HEADER = bytes(20)
_TINY = """
[net]
height=4
width=5
channels=3
[convolutional]
filters=2
size=3
batch_normalize=1
flipped=1
[connected]
output=3
[shortcut]
from=-1
weights_type=per_channel
"""


def read_cfg_file(data: bytes) -> None:
    """The text that a cfg gives must read as the same; the network is built without arrays, by way of a file without weights."""
    path = scratch.file("fuzz.cfg", data)
    read = read_cfg(path)
    if parse_cfg(read.format()) != read:
        raise AssertionError("format() and parse() differ")
    with suppress(WeightsError):
        Network.load(path, scratch.file("empty.weights", _HEADER))


def read_weights(data: bytes) -> None:
    """With and without ``partial``; what was read whole must be written as it was."""
    text, path = scratch.file("tiny.cfg", _TINY), scratch.file("fuzz.weights", data)
    Network.load(text, path, partial=True)
    network = Network.load(text, path)
    copy = scratch.file("copy.weights", b"")
    network.save(scratch.file("copy.cfg", b""), copy)
    if copy.read_bytes() != data:
        raise AssertionError("a weights file changed on the way through")


def read_names_file(data: bytes) -> None:
    """One name a line."""
    if not read_names(scratch.file("fuzz.names", data)):
        raise AssertionError("no names and no error")


def read_data_file(data: bytes) -> None:
    """Its ``names=`` may point to a file that is there."""
    scratch.file("fuzz.names", "cat\ndog\n")
    read_data_names(scratch.file("fuzz.data", data))


def read_tree_file(data: bytes) -> None:
    """A tree that was read can be used."""
    tree = read_tree(scratch.file("fuzz.tree", data))
    x = np.ones((len(tree), 2), np.float32)
    if tree.probabilities(tree.softmax(x)).shape != x.shape:
        raise AssertionError("a tree lost classes")


TARGETS = (
    Target(name="cfg", one=read_cfg_file, mutate=mutated_cfg, tokens=TOKENS),
    Target(name="weights", one=read_weights),
    Target(name="names", one=read_names_file),
    Target(name="data", one=read_data_file, tokens=(b"names=", b"fuzz.names", b"classes=", b"labels=", b"/", b"..", b"\0")),
    Target(name="tree", one=read_tree_file, tokens=(b" -1\n", b" 0\n", b"a 1\n", b"9" * 5000)),
)
