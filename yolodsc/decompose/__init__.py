"""Decomposition of a whole network: regular convolutions become chains of depthwise and pointwise ones.

`decompose` takes a network and pictures; `Settings` says how; the `Decomposition` that comes back holds an ordinary network and
the account.
"""

from yolodsc.decompose.driver import decompose
from yolodsc.decompose.settings import Decomposition, LayerResult, Settings

__all__ = ["Decomposition", "LayerResult", "Settings", "decompose"]
