"""Guard zones for the memory of the fused engine: between tensors and around buffers."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from yolodsc.engine.plan import placement
from yolodsc.engine.plan.arena import ArenaLayout
from yolodsc.engine.plan.layout import Buffer
from yolodsc.engine.runtime import fused_runner as fused
from yolodsc.engine.runtime import program

ZONE = 8192
CANARY = 0xFFC0DEAD
"""Bits of a NaN: a read from a zone shows in the results, a write to it is detected afterwards."""


class Guards:
    """Patches the engine so that canaries surround every tensor and every buffer."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.zones: list[NDArray[np.uint32]] = []
        self.arena: list[tuple[int, int]] = []
        patch.setattr(placement, "lay_out", self._lay_out)
        patch.setattr(fused, "aligned", self._aligned)
        patch.setattr(program, "aligned", self._aligned)

    def broken(self) -> int:
        """Return how many canaries were overwritten."""
        return sum(int((zone != CANARY).sum()) for zone in self.zones)

    def watch(self, runner: fused.FusedRunner) -> Self:
        """Add the gaps between the tensors of a runner's arena, and fill the tensors with canaries."""
        memory = runner._arena.view(np.uint32)
        memory[:] = CANARY
        end = 0
        for first, last in sorted(self.arena):
            self.zones.append(memory[end // 4 : first // 4])
            end = last
        return self

    def _lay_out(self, lifetimes: Mapping[Buffer, Any]) -> ArenaLayout:
        offset = ZONE
        offsets = {}
        for buffer in lifetimes:
            offsets[buffer] = offset
            self.arena.append((offset, offset + buffer.size))
            offset += buffer.size + -buffer.size % 64 + ZONE
        return ArenaLayout(offsets, offset)

    def _aligned(self, size: int) -> NDArray[np.uint8]:
        raw = np.full((size + 64 + 2 * ZONE) // 4 + 1, CANARY, np.uint32).view(np.uint8)
        start = ZONE + -(raw.ctypes.data + ZONE) % 64
        end = start + size + -size % 4
        self.zones += [raw[: start - start % 4].view(np.uint32), raw[end : end + (len(raw) - end) // 4 * 4].view(np.uint32)]
        return raw[start : start + size]
