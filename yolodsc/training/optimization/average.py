"""A moving average of the weights, which generalises better than the last weights (Polyak & Juditsky 1992)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import Network
from yolodsc.training.model.parameter import Parameter


@dataclass(slots=True)
class WeightAverage:
    """The exponential average of every parameter; the decay is smaller during the first steps."""

    parameters: Sequence[Parameter]
    decay: float
    _steps: int = 0
    _values: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._values = [p.value.copy() for p in self.parameters]

    def update(self) -> None:
        """Update the averages with the present values."""
        self._steps += 1
        weight = np.float32(1 - min(self.decay, self._steps / (self._steps + 10)))
        for value, p in zip(self._values, self.parameters, strict=True):
            np.add(value, weight * (p.value - value), out=value)

    def network(self, network: Network) -> Network:
        """Return the network with the averages as weights; rolling statistics are unchanged."""
        weights = [dict(arrays) for arrays in network.weights]
        for (layer, name), value in self.values().items():
            if name in network.weights[layer]:
                weights[layer][name] = value
        return network.with_weights(weights)

    def values(self) -> dict[tuple[int, str], Array]:
        """Return copies of the averages by layer and name of the parameter."""
        return {(p.layer, p.name): value.copy() for value, p in zip(self._values, self.parameters, strict=True)}

    def state(self) -> dict[str, Array]:
        """Return copies of the averages and their count."""
        return {str(i): value.copy() for i, value in enumerate(self._values)} | {"steps": np.array(self._steps, np.float64)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Set the averages and their count."""
        self._steps = int(state["steps"])
        for i, value in enumerate(self._values):
            value[...] = state[str(i)]
