"""``[route]``: slices of the gradient go to the inputs of the channels (``route_layer.c: backward_route_layer``)."""

from yolodsc.network import RouteLayer
from yolodsc.training.layers.context import LayerContext


class RouteTraining:
    """Concatenation of channels, or of one group of channels of each input."""

    def __init__(self, context: LayerContext[RouteLayer]) -> None:
        groups, group_id = context.layer.groups, context.layer.group_id
        self._parts = []
        start = 0
        for x, target in zip(context.inputs, context.targets, strict=True):
            count = len(x) // groups
            taken = slice(group_id * count, (group_id + 1) * count)
            here = slice(start, start + count)
            self._parts.append((x[taken], context.out[here], context.gradient[here], taken, target))
            start += count

    def forward(self) -> None:
        """Concatenate the inputs."""
        for x, out, *_ in self._parts:
            out[:] = x

    def backward(self) -> None:
        """Store or add the slices; channels of other groups get 0."""
        for _, _, gradient, taken, target in self._parts:
            if target is None:
                continue
            if target.accumulate:
                target.array[taken] += gradient
            else:
                target.array[: taken.start] = 0
                target.array[taken] = gradient
                target.array[taken.stop :] = 0
