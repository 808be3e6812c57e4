"""``[route]``: slices of gradients go back where the channels came from (``route_layer.c: backward_route_layer``)."""

from yolodsc.network import RouteLayer
from yolodsc.training.layers.context import LayerContext


class Route:
    """Concatenation of channels, or of one group of them."""

    def __init__(self, place: LayerContext[RouteLayer]) -> None:
        groups, group_id = place.layer.groups, place.layer.group_id
        self._parts = []
        start = 0
        for x, target in zip(place.inputs, place.targets, strict=True):
            count = len(x) // groups
            taken = slice(group_id * count, (group_id + 1) * count)
            here = slice(start, start + count)
            self._parts.append((x[taken], place.out[here], place.gradient[here], taken, target))
            start += count

    def forward(self) -> None:
        """Copy the parts side by side."""
        for x, out, *_ in self._parts:
            out[:] = x

    def backward(self) -> None:
        """Copy or add them back; channels of other groups get 0."""
        for _, _, gradient, taken, target in self._parts:
            if target is None:
                continue
            if target.add:
                target.array[taken] += gradient
            else:
                target.array[: taken.start] = 0
                target.array[taken] = gradient
                target.array[taken.stop :] = 0
