"""Mutations of cfg files by section and key."""

import random

from tools.fuzzing.target import Bytewise

SECTIONS: dict[str, str] = {
    "convolutional": "filters size stride stride_x stride_y pad padding groups dilation antialiasing batch_normalize activation "
    "xnor flipped share_index binary",
    "maxpool": "size stride stride_x stride_y padding maxpool_depth out_channels antialiasing",
    "local_avgpool": "size stride stride_x stride_y padding",
    "avgpool": "",
    "route": "layers groups group_id",
    "shortcut": "from activation weights_type weights_normalization alpha beta",
    "upsample": "stride scale",
    "reorg": "stride reverse flatten extra",
    "reorg3d": "stride reverse",
    "scale_channels": "from activation scale_wh",
    "control_channels": "from activation",
    "shift_channels": "from activation",
    "route_lhalf": "layers",
    "sam": "from activation",
    "dropout": "probability",
    "batchnorm": "",
    "activation": "activation",
    "connected": "output batch_normalize activation",
    "local": "filters size stride pad activation",
    "crop": "crop_height crop_width flip angle shift noadjust",
    "cost": "type",
    "softmax": "groups temperature tree spatial noloss",
    "normalization": "alpha beta kappa size",
    "implicit": "filters atoms",
    "implicit_add": "filters",
    "empty": "",
    "yolo": "classes num mask anchors scale_x_y new_coords nms_kind beta_nms",
    "Gaussian_yolo": "classes num mask anchors scale_x_y yolo_point",
    "region": "classes num coords anchors softmax background tree map",
    "detection": "side num classes coords softmax sqrt",
}
"""Keys that matter, by section."""

WORDS: dict[str, tuple[str, ...]] = {
    "activation": tuple(
        "linear relu leaky relu6 mish swish logistic loggy elu selu gelu relie ramp plse tanh stair hardtan lhtan hard_mish "
        "normalize_channels normalize_channels_softmax normalize_channels_softmax_maxval revleaky".split()
    ),
    "weights_type": ("none", "per_feature", "per_layer", "per_channel"),
    "weights_normalization": ("none", "relu", "avg_relu", "softmax"),
    "nms_kind": ("default", "greedynms", "diounms", "cornersnms"),
    "yolo_point": ("center", "left_top", "right_bottom"),
    "type": ("sse", "masked", "smooth"),
}
"""Values of keys that take words."""

_LISTS = frozenset("layers from mask anchors".split())
_USUAL = ("1", "1", "2", "3", "3", "4", "5", "8", "0", "16", "24")
_ODD = ("7", "9", "11", "13", "17", "31", "32", "33", "64", "65", "-1", "-2", "-3", "-4", "0.5", "1.05", "6")
_WILD = (
    *"-2147483647 2147483647 2147483648 65535 65536 1024 4096 46341 -5 1e30 -1e30 1e-40 nan , 1, 0x10 x 1e400".split(),
    *("", "9" * 20, "9" * 5000),
)

TOKENS = tuple(f"[{name}]\n".encode() for name in SECTIONS) + tuple(
    f"\n{key}=".encode() for key in sorted({key for keys in SECTIONS.values() for key in keys.split()})
)
"""Words of the dialect."""


def mutated_cfg(data: bytes, rng: random.Random, bytewise: Bytewise) -> bytes:
    """One to three sections added, dropped, moved, or changed in a key; seldom something else."""
    if rng.random() < 0.1:
        return bytewise(data)
    sections = [part for part in data.decode("utf-8", "surrogateescape").split("[") if part.strip()]
    for _ in range(rng.choice((1, 1, 2, 3))):
        change = rng.choice((_added, _added, _changed, _changed, _changed, _dropped, _moved))
        sections = change(sections, rng)
    text = "".join(f"[{section}" for section in sections)
    return text.encode("utf-8", "surrogateescape")


def _added(sections: list[str], rng: random.Random) -> list[str]:
    """A section after the first one, with some of its keys."""
    kind = rng.choice(tuple(SECTIONS))
    keys = SECTIONS[kind].split()
    chosen = [key for key in keys if rng.random() < 0.5]
    section = "\n".join([f"{kind}]", *(f"{key}={value_of(key, rng)}" for key in chosen), ""])
    at = rng.randrange(1, len(sections) + 1) if sections else 0
    return [*sections[:at], section, *sections[at:]]


def _changed(sections: list[str], rng: random.Random) -> list[str]:
    """Another value of a key, which may be a new one."""
    if not sections:
        return sections
    at = rng.randrange(len(sections))
    kind, _, body = sections[at].partition("]")
    keys = (SECTIONS.get(kind) or "height width channels inputs letter_box").split()
    key = rng.choice(keys)
    lines = [line for line in body.split("\n") if line and not line.startswith(f"{key}=")]
    lines.append(f"{key}={value_of(key, rng)}")
    return [*sections[:at], "\n".join([f"{kind}]", *lines, ""]), *sections[at + 1 :]]


def _dropped(sections: list[str], rng: random.Random) -> list[str]:
    at = rng.randrange(len(sections)) if sections else 0
    return sections[:at] + sections[at + 1 :]


def _moved(sections: list[str], rng: random.Random) -> list[str]:
    if len(sections) < 3:
        return sections
    at = rng.randrange(1, len(sections))
    section, rest = sections[at], sections[:at] + sections[at + 1 :]
    to = rng.randrange(1, len(rest) + 1)
    return [*rest[:to], section, *rest[to:]]


def value_of(key: str, rng: random.Random) -> str:
    """A value for a key: mostly one that may work."""
    if key in WORDS:
        return rng.choice(WORDS[key]) if rng.random() < 0.95 else "nonsense"
    if key in ("layers", "from"):
        return ",".join(rng.choice(("-1", "-2", "-3", "0", "1", "-4", "7")) for _ in range(rng.choice((1, 1, 2, 3))))
    if key in _LISTS:
        return ",".join(rng.choice(_USUAL) for _ in range(rng.choice((1, 2, 4, 6))))
    return rng.choice(rng.choices((_USUAL, _ODD, _WILD), (6, 3, 1))[0])
