"""Optimizers: they update parameters in place; their state is part of checkpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from yolodsc.arrays import Array
from yolodsc.errors import OptionError
from yolodsc.training.model.parameter import Parameter

OPTIMIZERS = ("adam", "sgd")


class Optimizer(Protocol):
    """An update rule for parameters with gradients."""

    def step(self, *, rate: float) -> None:
        """Update every parameter; ``rate`` is the learning rate of this step."""
        ...

    def state(self) -> dict[str, Array]:
        """Return copies of everything that the next step depends on."""
        ...

    def restore(self, state: Mapping[str, Array]) -> None:
        """Set the state to what `state` returned."""
        ...


@dataclass(slots=True)
class Adam:
    """Kingma & Ba 2015 with decoupled weight decay (Loshchilov & Hutter 2019), of ``weights`` only."""

    parameters: Sequence[Parameter]
    decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    _steps: int = 0
    _mean: list[Array] = field(default_factory=list)
    _square: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._mean = [np.zeros_like(p.value) for p in self.parameters]
        self._square = [np.zeros_like(p.value) for p in self.parameters]

    def step(self, *, rate: float) -> None:
        """Update by Kingma & Ba, algorithm 1, in the order of the last paragraph of section 2."""
        from yolodsc.training.kernels.adam import update

        self._steps += 1
        first, second = 1 - self.beta1**self._steps, 1 - self.beta2**self._steps
        size, epsilon = rate * np.sqrt(second) / first, self.epsilon * np.sqrt(second)
        for p, mean, square in zip(self.parameters, self._mean, self._square, strict=True):
            kept = 1 - rate * self.decay if p.name == "weights" else 1.0
            numbers = tuple(np.float32(number) for number in (1 - self.beta1, 1 - self.beta2, kept, size, epsilon))
            update(p.value.reshape(-1), p.gradient.reshape(-1), mean.reshape(-1), square.reshape(-1), numbers)

    def state(self) -> dict[str, Array]:
        """Moments and their count."""
        named = {f"mean/{i}": m.copy() for i, m in enumerate(self._mean)}
        named |= {f"square/{i}": s.copy() for i, s in enumerate(self._square)}
        return named | {"steps": np.array(self._steps, np.float64)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Moments and their count."""
        self._steps = int(state["steps"])
        for i, (mean, square) in enumerate(zip(self._mean, self._square, strict=True)):
            mean[...], square[...] = state[f"mean/{i}"], state[f"square/{i}"]


@dataclass(slots=True)
class Sgd:
    """Darknet's momentum: weight decay is part of the gradient, of ``weights`` only (``update_convolutional_layer``)."""

    parameters: Sequence[Parameter]
    decay: float = 0.0
    momentum: float = 0.9
    _velocity: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._velocity = [np.zeros_like(p.value) for p in self.parameters]

    def step(self, *, rate: float) -> None:
        """Update by the velocity times the rate of the step, as in Darknet and PyTorch."""
        for p, velocity in zip(self.parameters, self._velocity, strict=True):
            gradient = p.gradient + np.float32(self.decay) * p.value if self.decay and p.name == "weights" else p.gradient
            np.multiply(velocity, np.float32(self.momentum), out=velocity)
            np.subtract(velocity, gradient, out=velocity)
            p.value += np.float32(rate) * velocity

    def state(self) -> dict[str, Array]:
        """Velocities."""
        return {f"velocity/{i}": velocity.copy() for i, velocity in enumerate(self._velocity)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Velocities."""
        for i, velocity in enumerate(self._velocity):
            velocity[...] = state[f"velocity/{i}"]


def optimizer_named(name: str, parameters: Sequence[Parameter], *, decay: float, momentum: float) -> Optimizer:
    """Return Adam or SGD; the momentum is beta1 of Adam."""
    if name == "adam":
        return Adam(parameters, decay=decay, beta1=momentum)
    if name == "sgd":
        return Sgd(parameters, decay=decay, momentum=momentum)
    raise OptionError(f"optimizer={name}: expected one of {', '.join(OPTIMIZERS)}", parameter="optimizer")


def clip(parameters: Sequence[Parameter], *, max_norm: float) -> float:
    """Scale all gradients to a common norm of at most ``max_norm`` (0: no limit); return their norm before."""
    norm = float(np.sqrt(sum(float(np.vdot(p.gradient, p.gradient)) for p in parameters)))
    if max_norm and norm > max_norm and np.isfinite(norm):
        for p in parameters:
            p.gradient *= np.float32(max_norm / norm)
    return norm
