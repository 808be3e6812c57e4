"""The JPEG decoder that ``auto`` selects."""

import pytest

from yolodsc.detection.network_input import chosen_decoder

from .networks import network


@pytest.mark.parametrize(("precision", "decoder"), [("f32", "darknet"), ("bf16", "fast"), ("int8", "fast")])
def test_auto_is_fast_where_boxes_are_not_darknets_to_the_bit(precision: str, decoder: str) -> None:
    """In float32 the profile decides."""
    small = network("convolutional filters=2 size=1")

    assert chosen_decoder(small, "auto", precision=precision) == decoder
    assert chosen_decoder(small, "darknet", precision=precision) == "darknet"
