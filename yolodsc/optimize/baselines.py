"""The baselines of a search: single parts of it, which nobody needs a search for."""

from yolodsc.optimize.measurement import ORIGINAL, Measurement

SMALLER, BF16, INT8, DECOMPOSED, COMBINED = (
    "original at smaller inputs",
    "bf16 alone",
    "int8 alone",
    "decomposed alone",
    "smaller input and lower precision",
)
BASELINES = (SMALLER, BF16, INT8, DECOMPOSED, COMBINED)
"""Names of the baselines; the last combines two of the others, without decomposition."""


def baseline_of(m: Measurement, original: Measurement) -> str:
    """The baseline that a measurement belongs to; empty for results of the search."""
    c, o = m.candidate, original.candidate
    full = (c.width, c.height) == (o.width, o.height)
    if c.form == ORIGINAL:
        if c.precision == "f32":
            return SMALLER
        return COMBINED if not full else BF16 if c.precision == "bf16" else INT8
    alone = full and c.precision == "f32" and c.form.startswith("f32") and not c.form.endswith("trained")
    return DECOMPOSED if alone else ""
