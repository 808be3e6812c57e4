"""Numbers and texts as the formats allow them."""

from typing import Annotated

from msgspec import Meta

MAX_FINITE = float(2**128 - 2**104)
"""Greatest coordinate or score: that of single precision, so that products of two are finite in double precision."""

Index = Annotated[int, Meta(ge=0, le=2**53)]
"""A count, or a position that is still to be compared with a length."""
Whole = Annotated[int, Meta(ge=-(2**53), le=2**53)]
"""An identifier."""
Finite = Annotated[float, Meta(ge=-MAX_FINITE, le=MAX_FINITE)]
Positive = Annotated[float, Meta(ge=0, le=MAX_FINITE)]
"""Zero or more."""
Share = Annotated[float, Meta(ge=0, le=1 + 1e-9)]
"""A precision, recall or AP; sums of many terms may exceed 1 in the last bits."""
Side = Annotated[float, Meta(ge=1, le=2**31)]
"""Width or height of an image in pixels."""
Text = Annotated[str, Meta(max_length=2**16)]
Box = tuple[Finite, Finite, Finite, Finite]
