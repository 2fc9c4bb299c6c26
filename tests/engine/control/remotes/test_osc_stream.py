"""Streams of OSC over TCP, cut anywhere; python-osc is the independent writer of SLIP."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from pythonosc import slip

from engine.control.remotes.osc_stream import LARGEST_FRAME_BYTES, FrameReader
from engine.core.errors import ConfigError

DATAGRAMS = st.lists(st.binary(min_size=4, max_size=40).map(lambda content: b"/" + content), min_size=1, max_size=5)


def counted(datagram: bytes) -> bytes:
    return struct.pack(">i", len(datagram)) + datagram


def short_slip(datagram: bytes) -> bytes:
    """As senders write it that end each datagram and begin none."""
    return slip.encode(datagram)[1:]


@pytest.mark.parametrize("framed", [counted, slip.encode, short_slip])
@seed(1)
@settings(max_examples=200, deadline=None, database=None)
@given(DATAGRAMS, st.integers(1, 50))
def test_a_stream_cut_anywhere_gives_its_datagrams(framed, datagrams, cut):
    stream = b"".join(map(framed, datagrams))
    reader = FrameReader()
    found = [found for at in range(0, len(stream), cut) for found in reader.read(stream[at : at + cut])]
    assert found == datagrams


@pytest.mark.parametrize("framed", [counted, slip.encode])
def test_answers_are_framed_as_the_questions(framed):
    reader = FrameReader()
    assert list(reader.read(framed(b"/a\0\0"))) == [b"/a\0\0"]
    answer = b"/b\0\0\xc0\xdb\xdc\xdd"
    assert reader.frame(answer) == framed(answer)


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        struct.pack(">i", LARGEST_FRAME_BYTES + 1),
        b"/" + bytes(2 * LARGEST_FRAME_BYTES),
    ],
)
def test_what_is_no_stream_or_too_large_is_one_sentence(stream):
    with pytest.raises(ConfigError, match="connection is closed"):
        list(FrameReader().read(stream))


def test_good_datagrams_before_a_bad_one_are_given():
    found = FrameReader().read(counted(b"/good\0\0\0") + b"\x7f\xff\xff\xff")
    assert next(found) == b"/good\0\0\0"
    with pytest.raises(ConfigError):
        next(found)


@seed(3)
@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(st.binary(max_size=64), max_size=10))
def test_no_stream_raises_anything_else(pieces):
    reader, given = FrameReader(), b""
    with suppress(ConfigError):
        for piece in pieces:
            given += piece
            assert sum(map(len, reader.read(piece))) <= len(given)
