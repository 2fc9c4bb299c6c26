"""Addresses as text: what is one, and how it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.media.address import scheme_of, shown_address

SECRET = "Secret7"


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("http://host", "http"),
        ("RTSP://host/a", "rtsp"),
        ("srt://", "srt"),
        ("song.wav", None),
        ("C://songs/a.wav", None),
        ("http:/host", None),
        ("1http://host", None),
        ("mic:http", None),
        ("", None),
    ],
)
def test_what_is_an_address(text: str, scheme: str | None) -> None:
    assert scheme_of(text) == scheme


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://host:8000/a/b.mp3", "http://host:8000/a/b.mp3"),
        ("http://me@host/a", "http://host/a"),
        ("rtsp://me:Secret7@host:554/a?b=Secret7#c", "rtsp://host:554/a?..."),
        ("drums=rtsp://me:Secret7@host/a@1,2", "drums=rtsp://host/a@1,2"),
        ("http://me:Sec/ret7@host/a", "http://host/a"),
        ("http://host:80/a@7", "http://host:80/a@7"),
        ("http://host/a@b.mp3", "http://host/a@b.mp3"),
        ("http://me:12/34@host/a", "http://host/a"),
        ("http://me:Sec?ret7@host/a?b", "http://host/a?..."),
        ("http://me:Sec#ret7@host/a", "http://host/a"),
        ("http://host/\x1b[2J\n", "http://host/\\x1b[2J\\n"),
        ("song.wav", "song.wav"),
    ],
)
def test_how_an_address_is_shown(text: str, shown: str) -> None:
    assert shown_address(text) == shown


@given(
    before=st.text(max_size=20),
    after=st.text(max_size=20),
    path=st.text(max_size=300),
    scheme=st.sampled_from(("http", "rtsp", "drums=rtmp")),
)
def test_a_password_is_never_shown_and_nothing_unprintable(before: str, after: str, path: str, scheme: str) -> None:
    shown = shown_address(f"{scheme}://me:{before}{SECRET}{after}@host/{path.replace('@', '')}")
    assert SECRET not in shown
    assert "\n" not in shown
    assert "\x1b" not in shown
