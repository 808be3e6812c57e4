"""Memory with guard zones for the fused engine: what lies between maps and around buffers is watched."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from yolodsc.engine.plan.layout import PlanarTensor, Tensor
from yolodsc.engine.runtime import fused_runner as fused
from yolodsc.engine.runtime import program as tape

ZONE = 8192
CANARY = 0xFFC0DEAD
"""Bits of a NaN: what is read from a zone and used shows in the results, what is written there is found afterwards."""


class Guards:
    """Patches the engine so that no two maps touch, and every buffer lies between zones of canaries."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.zones: list[NDArray[np.uint32]] = []
        self.arena: list[tuple[int, int]] = []
        patch.setattr(fused, "lay_out", self._lay_out)
        patch.setattr(fused, "aligned", self._aligned)
        patch.setattr(tape, "aligned", self._aligned)

    def broken(self) -> int:
        """How many words of the zones are no canaries any more."""
        return sum(int((zone != CANARY).sum()) for zone in self.zones)

    def watch(self, runner: fused.FusedRunner) -> Self:
        """Watch what lies between the maps of a runner's arena too, and fill the maps with canaries."""
        memory = runner._arena.view(np.uint32)
        memory[:] = CANARY
        end = 0
        for first, last in sorted(self.arena):
            self.zones.append(memory[end // 4 : first // 4])
            end = last
        return self

    def _lay_out(self, lives: Mapping[Tensor | PlanarTensor, Any]) -> int:
        place = ZONE
        for buffer in lives:
            buffer.offset = place
            self.arena.append((place, place + buffer.size))
            place += buffer.size + -buffer.size % 64 + ZONE
        return place

    def _aligned(self, size: int) -> NDArray[np.uint8]:
        raw = np.full((size + 64 + 2 * ZONE) // 4 + 1, CANARY, np.uint32).view(np.uint8)
        start = ZONE + -(raw.ctypes.data + ZONE) % 64
        end = start + size + -size % 4
        self.zones += [raw[: start - start % 4].view(np.uint32), raw[end : end + (len(raw) - end) // 4 * 4].view(np.uint32)]
        return raw[start : start + size]
