"""The fused engine: `compile` turns a network into a `Runner`."""

from yolodsc.engine.runner import Runner, compile

__all__ = ["Runner", "compile"]
