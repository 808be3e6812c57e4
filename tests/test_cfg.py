"""The cfg dialect, quirk by quirk."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolodsc.darknet.cfg import Cfg, Option, Section, parse_cfg, read_cfg
from yolodsc.errors import CfgError, YolodscError
from yolodsc.network.layers import LAYER_TYPES, UNSUPPORTED_TYPES
from yolodsc.network.network import Network


def section(text: str) -> Section:
    """The first layer of a text that follows [net]."""
    return parse_cfg(f"[net]\n[convolutional]\n{text}\n", file="a.cfg").sections[1]


def test_white_space_is_deleted_anywhere() -> None:
    """Even inside keys, values and section names."""
    document = parse_cfg("\t[ n e t ]\r\n  wi dth = 4 1 6 \n")

    assert document == Cfg((Section("net", (Option("width", "416"),)),))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("stride=2 # half", 2),
        ("stride=+3", 3),
        ("stride=2.9", 2),
        ("stride=0x10", 0),
        ("stride=2\nstride=5", 2),
        ("stride", 1),
        ("", 1),
    ],
)
def test_integers_are_read_as_atoi_does(text: str, value: int) -> None:
    """A leading integer counts, the first of equal keys counts, a key without = is absent."""
    assert section(text).integer("stride", 1) == value


@pytest.mark.parametrize(("text", "value"), [("x=.5", 0.5), ("x=1e-5", 1e-5), ("x=+3,4", 3.0), ("x=2.5abc", 2.5), ("", 7.0)])
def test_numbers_are_read_as_atof_does(text: str, value: float) -> None:
    """The longest leading decimal number."""
    assert section(text).number("x", 7.0) == value


def test_lists_end_at_a_hash() -> None:
    """As in [yolo] mask and anchors."""
    assert section("mask = 3,4 ,5 # 6,7").integers("mask") == (3, 4, 5)


def test_strings_keep_what_follows_a_hash() -> None:
    """There are no comments inside a line: such an activation is unknown."""
    with pytest.raises(CfgError, match=r"^a\.cfg:3: \[convolutional\] activation=leaky#x is unknown"):
        section("activation=leaky #x").choice("activation", "linear", frozenset({"leaky"}))


def test_lines_that_end_in_an_equals_sign_are_dropped_and_noted() -> None:
    """Darknet prints ``could parse`` and goes on."""
    document = parse_cfg("[net]\nwidth=\nheight=8\n", file="a.cfg")

    assert document.sections[0].options == (Option("height", "8"),)
    assert document.notes == ("a.cfg:2: [net] width= has no value and is dropped",)


def test_unknown_and_repeated_options_are_noted_with_their_lines() -> None:
    """What training reads is known."""
    text = "[net]\nheight=8\nwidth=8\nchannels=3\nmomentum=.9\n[maxpool]\nsize=2\nsise=3\nsize=4\nstopbackward=1\n"

    network = Network.build(parse_cfg(text, file="a.cfg"))

    assert network.notes == ("a.cfg:8: [maxpool] unused option sise", "a.cfg:9: [maxpool] size is given again; line 7 is used")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "a.cfg: no section found"),
        ("width=3\n[net]", "a.cfg:1: option width=3 stands before any section"),
        ("[convolutional]", r"a.cfg:1: \[convolutional\] comes first; expected \[net\]"),
        ("[net]#x", r"a.cfg:1: \[net\]#x is not a section"),
        ("[net]\nheight=8\nwidth=8", r"a.cfg:1: \[net\] height=8 width=8 channels=0; expected all three"),
        ("[net]\ninputs=4", "is the only section"),
        ("[net]\ninputs=4\n[conv2d]", r"a.cfg:3: \[conv2d\] is unknown"),
        ("[net]\ninputs=4\n[rnn]", r"a.cfg:3: \[rnn\] sections of this type are not supported"),
        ("[net]\ninputs=4\n[connected]\noutput=many", r"a.cfg:4: \[connected\] output=many is not an integer"),
        ("[net]\ninputs=4\n[connected]\noutput=99999999999", r"a.cfg:4: .* out of range"),
        ("[net]\ninputs=4\n[dropout]\n[route]\nlayers=-1,x", r"a.cfg:5: \[route\] layers=x is not an integer"),
        ("[net]\nheight=99999\nwidth=99999\nchannels=99", "at most"),
        ("[net]\nheight=16384\nwidth=16384\nchannels=1\n" + "[dropout]\n" * 20, "its layers put out .* at most"),
        ("[net]\ninputs=100000\n[connected]\noutput=100000000", "at most"),
    ],
)
def test_errors_say_where_what_was_found_and_what_was_wanted(text: str, found: str) -> None:
    """One line, with file and line number."""
    with pytest.raises(CfgError, match=f"^{found}|{found}") as error:
        Network.build(parse_cfg(text, file="a.cfg"))

    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", sorted(UNSUPPORTED_TYPES))
def test_recurrent_and_training_sections_are_refused_by_name(kind: str) -> None:
    """Rather than run wrongly."""
    with pytest.raises(CfgError, match=rf"\[{kind}\] sections of this type are not supported"):
        Network.build(parse_cfg(f"[net]\ninputs=4\n[{kind}]"))


def test_missing_files_are_one_line(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(CfgError, match=r"cannot be read: No such file"):
        read_cfg(tmp_path / "none.cfg")


def test_a_changed_option_keeps_its_place() -> None:
    """``replaced`` is what writing other networks is made of."""
    changed = section("filters=8\nsize=3\nfilters=9\npad=1").replaced(size=1, pad=None, groups=4)

    assert changed.options == (Option("filters", "8"), Option("size", "1"), Option("filters", "9"), Option("groups", "4"))


WORDS = st.text(alphabet=st.characters(exclude_characters="=[];# \t\r\n\v\f\0\ufeff", codec="utf-8"), min_size=1, max_size=8)
OPTIONS = st.builds(Option, WORDS, st.none() | WORDS)
SECTIONS = st.builds(lambda kind, options: Section(kind, tuple(options)), WORDS, st.lists(OPTIONS, max_size=4))


@pytest.mark.slow
@given(st.lists(SECTIONS, max_size=5))
def test_parse_of_format_is_the_identity(sections: list[Section]) -> None:
    """For every document that can be written down."""
    document = Cfg((Section("net"), *sections))

    assert parse_cfg(document.format()) == document


KEYS = (
    "size stride pad padding filters groups layers from activation batch_normalize mask anchors classes num output coords side "
    "share_index dilation antialiasing group_id reverse crop_height crop_width weights_type out_channels maxpool_depth stride_x"
).split()
VALUES = st.sampled_from(["leaky", "-1", "0", "1", "2", "3", "-2,-1", "1e9", "1000000000000", "", "#", "x", "nan", "16,8"]) | WORDS
LINES = st.builds("{}={}".format, st.sampled_from(KEYS), VALUES)
HEADINGS = st.sampled_from([f"[{kind}]" for kind in (*LAYER_TYPES, *UNSUPPORTED_TYPES, "net", "")])


@given(st.lists(LINES | HEADINGS | st.text(max_size=20), max_size=25))
def test_no_text_breaks_the_parser(lines: list[str]) -> None:
    """Whatever follows a valid beginning builds, or fails with an error of ours in one line."""
    text = "\n".join(["[net]", "height=8", "width=8", "channels=4", *lines])

    try:
        Network.build(parse_cfg(text))
    except YolodscError as error:
        assert "\n" not in str(error)
