"""Datagrams of strangers: each is either read whole or refused with a sentence, whatever its lengths say."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from pythonosc.osc_message_builder import OscMessageBuilder

from engine.control.remotes.osc_packet import MOST_DEPTH, MOST_ELEMENTS, NOT_OSC, parse, split
from engine.core.errors import ConfigError

HEAD = b"#bundle\0" + bytes(7) + b"\1"
GOOD = b"/fluid/zoom\0,f\0\0" + struct.pack(">f", 2.0)
LOST = "An element of this bundle has a length that is negative"


def element(content: bytes, length: int | None = None) -> bytes:
    return struct.pack(">i", len(content) if length is None else length) + content


def told(datagram: bytes) -> list[str]:
    """Return what a datagram holds: "good", or the beginning of a sentence."""
    return ["good" if part.content == GOOD else str(part.content) for part in split(datagram)]


def nested(depth: int) -> bytes:
    inside = GOOD
    for _ in range(depth):
        inside = HEAD + element(inside)
    return inside


BUNDLES = [
    pytest.param(HEAD, [], id="no element"),
    pytest.param(HEAD[:12], [NOT_OSC], id="cut time tag"),
    pytest.param(HEAD + element(GOOD) + element(GOOD), ["good", "good"], id="two"),
    pytest.param(HEAD + element(GOOD) + b"\xff\xff\xff\xfc", ["good", LOST], id="minus four"),
    pytest.param(HEAD + element(GOOD) + b"\x80\0\0\0" + GOOD, ["good", LOST], id="most negative"),
    pytest.param(HEAD + element(GOOD, 2**31 - 1), [LOST], id="largest"),
    pytest.param(HEAD + element(GOOD, len(GOOD) + 4), [LOST], id="beyond the end"),
    pytest.param(HEAD + element(GOOD, len(GOOD) - 1), [LOST], id="no multiple of four"),
    pytest.param(HEAD + element(GOOD) + b"\0\0", ["good", LOST], id="cut length"),
    pytest.param(HEAD + element(b"") + element(GOOD), ["An element of this bundle is empty", "good"], id="empty"),
    pytest.param(HEAD + element(HEAD[:8]) + element(GOOD), [NOT_OSC, "good"], id="inner bundle without time"),
    pytest.param(
        HEAD + element(HEAD + element(GOOD) + b"\xff\xff\xff\xf0") + element(GOOD),
        ["good", LOST, "good"],
        id="a bad length inside does not touch what is outside",
    ),
    pytest.param(
        HEAD + element(b"#bun" * 0x100, 0x100) + bytes(4), ["#", LOST], id="a length that looks like a bundle"
    ),
    pytest.param(nested(MOST_DEPTH), ["good"], id="deepest"),
    pytest.param(nested(MOST_DEPTH + 1), ["This datagram has bundles nested more than"], id="too deep"),
    pytest.param(nested(2000), ["This datagram has bundles nested more than"], id="much too deep"),
    pytest.param(HEAD + MOST_ELEMENTS * element(GOOD), MOST_ELEMENTS * ["good"], id="most elements"),
    pytest.param(
        HEAD + (MOST_ELEMENTS + 1) * element(GOOD),
        [*MOST_ELEMENTS * ["good"], "This datagram has more than 1000 elements"],
        id="too many elements",
    ),
]


@pytest.mark.parametrize(("datagram", "expected"), BUNDLES)
def test_the_good_elements_of_a_bundle_are_found_and_the_others_named(datagram, expected):
    came = told(datagram)
    assert len(came) == len(expected)
    for sentence, beginning in zip(came, expected, strict=True):
        assert sentence.removeprefix("b'").startswith(beginning)


@seed(2)
@settings(max_examples=500, deadline=None, database=None)
@given(
    st.lists(st.one_of(st.binary(max_size=12), st.integers(-8, 40).map(lambda n: struct.pack(">i", n)), st.just(HEAD)))
)
def test_no_bundle_takes_more_than_its_bounds(parts):
    datagram = HEAD + b"".join(parts)
    found = list(split(datagram))
    assert len(found) <= MOST_ELEMENTS + 1
    assert sum(len(part.content) for part in found if isinstance(part.content, bytes)) <= len(datagram)


ZOOM = b"/fluid/zoom\0"
MESSAGES = [
    pytest.param(b"", NOT_OSC, id="empty"),
    pytest.param(b"fluid\0\0\0", NOT_OSC, id="no slash"),
    pytest.param(b"/fluid/zoom!", NOT_OSC, id="address without an end"),
    pytest.param(b"/fluid/zoom\0,f\0\0\0", NOT_OSC, id="no multiple of four"),
    pytest.param(b"/fluid/z\0xyz", NOT_OSC, id="address filled with letters"),
    pytest.param(b"/fl\xff\0\0\0\0", NOT_OSC, id="bad utf-8"),
    pytest.param(ZOOM + b"\0\0\0\0", NOT_OSC, id="no tags but zeros"),
    pytest.param(ZOOM + bytes([0x40, 0, 0, 0]), NOT_OSC, id="a value without tags"),
    pytest.param(ZOOM + b",fff", NOT_OSC, id="tags without an end"),
    pytest.param(ZOOM + b",f\0\0", NOT_OSC, id="no float"),
    pytest.param(ZOOM + b",d\0\0" + bytes(4), NOT_OSC, id="half a double"),
    pytest.param(ZOOM + b",h\0\0" + bytes(4), NOT_OSC, id="half a long"),
    pytest.param(ZOOM + b",t\0\0" + bytes(4), NOT_OSC, id="half a time"),
    pytest.param(ZOOM + b",s\0\0loud", NOT_OSC, id="text without an end"),
    pytest.param(ZOOM + b",s\0\0lo\0x", NOT_OSC, id="text filled with letters"),
    pytest.param(ZOOM + b",b\0\0", NOT_OSC, id="no blob"),
    pytest.param(ZOOM + b",b\0\0" + element(bytes(4), -4), NOT_OSC, id="blob of negative length"),
    pytest.param(ZOOM + b",b\0\0" + element(bytes(4), 5), NOT_OSC, id="blob beyond the end"),
    pytest.param(ZOOM + b",b\0\0" + element(b"xxyz", 2), NOT_OSC, id="blob filled with letters"),
    pytest.param(ZOOM + b",[\0\0", "/fluid/zoom came with an array that does not end", id="open array"),
    pytest.param(ZOOM + b",]\0\0", "/fluid/zoom came with an array that ends and did not begin", id="closed array"),
    pytest.param(ZOOM + b",z\0\0", "/fluid/zoom came with a value of unknown OSC type 'z'; send a number.", id="type"),
    pytest.param(ZOOM + b"," + 5002 * b"[" + b"\0", "/fluid/zoom came with more than 63 values", id="nested arrays"),
    pytest.param(ZOOM + b"," + 60002 * b"T" + b"\0", "/fluid/zoom came with more than 63 values", id="many values"),
    pytest.param(ZOOM + b",T\0\0" + bytes(8), "/fluid/zoom came with 8 bytes that belong to no value", id="more"),
]


@pytest.mark.parametrize(("datagram", "sentence"), MESSAGES)
def test_a_message_that_is_not_whole_is_refused_with_a_sentence(datagram, sentence):
    with pytest.raises(ConfigError) as refused:
        parse(datagram)
    assert str(refused.value).startswith(sentence)


VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.none(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(width=32, allow_nan=False, allow_subnormal=False),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9),
        st.binary(min_size=1, max_size=9),
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=12,
)


@seed(3)
@settings(max_examples=300, deadline=None, database=None)
@given(values=st.lists(VALUES, max_size=4))
def test_what_another_library_writes_is_read(values):
    builder = OscMessageBuilder(address="/fluid/zoom")
    for value in values:
        builder.add_arg(value)
    assert parse(builder.build().dgram) == ("/fluid/zoom", values)


def test_a_message_may_leave_out_its_tags():
    assert parse(ZOOM) == ("/fluid/zoom", [])
