"""Source specs taken apart: the plain ones, and paths, devices and addresses that hold the signs of the grammar."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.sources.spec import SourceSpec, parse_channels, parse_spec
from engine.core.errors import SourceError


def parse(text: str, *files: str) -> SourceSpec:
    return parse_spec(text, is_file=lambda path: path in files)


@pytest.mark.parametrize(
    ("text", "name", "kind", "detail", "channels"),
    [
        ("mic", None, "mic", "", ()),
        ("mic:", None, "mic", "", ()),
        ("mic@3", None, "mic", "", (3,)),
        ("mic:mixer@5", None, "mic", "mixer", (5,)),
        ("mic:Scarlett 18i20 USB@1-8", None, "mic", "Scarlett 18i20 USB", (1, 2, 3, 4, 5, 6, 7, 8)),
        ("mic:Scarlett 18i20 USB: Audio (hw:1,0)@4,3", None, "mic", "Scarlett 18i20 USB: Audio (hw:1,0)", (4, 3)),
        ("mic:a@b@2", None, "mic", "a@b", (2,)),
        ("mic:A=B", None, "mic", "A=B", ()),
        ("drums=mic:A=B@1-2,5", "drums", "mic", "A=B", (1, 2, 5)),
        ("system", None, "system", "", ()),
        ("room=system@1", "room", "system", "", (1,)),
        ("system:HDMI", None, "system", "HDMI", ()),
        ("jack:Ardour: out/out 1", None, "jack", "Ardour: out/out 1", ()),
        ("jack:SuperCollider@1-8", None, "jack", "SuperCollider", tuple(range(1, 9))),
        ("demo", None, "demo", "", ()),
        ("tone:440", None, "tone", "440", ()),
        ("low=tone:55@1", "low", "tone", "55", (1,)),
        ("pcm:48000x2", None, "pcm", "48000x2", ()),
        ("pcm:48000x8@7,8", None, "pcm", "48000x8", (7, 8)),
        ("rtsp://user:pass@host/live", None, "address", "rtsp://user:pass@host/live", ()),
        ("cam=rtsp://user:pass@host:554/live@2", "cam", "address", "rtsp://user:pass@host:554/live", (2,)),
        ("http://host/a?x=1&y=2", None, "address", "http://host/a?x=1&y=2", ()),
        ("HTTPS://host/a", None, "address", "HTTPS://host/a", ()),
        ("udp://@239.0.0.1:1234", None, "address", "udp://@239.0.0.1:1234", ()),
        ("udp://@:1234", None, "address", "udp://@:1234", ()),
        ("udp://@1234", None, "address", "udp://@1234", ()),
        ("tcp://host:9", None, "address", "tcp://host:9", ()),
        ("song.wav", None, "file", "song.wav", ()),
        ("song.wav@1,2", None, "file", "song.wav", (1, 2)),
        ("drums=song.wav@64", "drums", "file", "song.wav", (64,)),
        ("me@home.wav", None, "file", "me@home.wav", ()),
        ("/a=b/c@d/e:f.wav", None, "file", "/a=b/c@d/e:f.wav", ()),
        ("./x=1/song.wav", None, "file", "./x=1/song.wav", ()),
        ("C:\\sound\\song.wav", None, "file", "C:\\sound\\song.wav", ()),
        ("-song.wav", None, "file", "-song.wav", ()),
        ("", None, "file", "", ()),
        ("microphone", None, "file", "microphone", ()),
        ("srt://host:9/a", None, "address", "srt://host:9/a", ()),
    ],
)
def test_a_spec_is_taken_apart(text: str, name: str | None, kind: str, detail: str, channels: tuple[int, ...]) -> None:
    spec = parse(text)
    assert (spec.text, spec.name, spec.kind, spec.detail, spec.channels) == (text, name, kind, detail, channels)


@pytest.mark.parametrize(
    "path", ["drums=song.wav", "song@1,2", "mic:a@2", "tone", "no name=mic", "song.wav@x", "rtsp:", "@", "="]
)
def test_a_file_that_exists_wins(path: str) -> None:
    spec = parse(path, path)
    assert (spec.name, spec.kind, spec.detail, spec.channels) == (None, "file", path, ())
    spec = parse(f"band={path}", path)
    assert (spec.name, spec.kind, spec.detail, spec.channels) == ("band", "file", path, ())
    spec = parse(f"band={path}@7,9", path)
    assert (spec.name, spec.kind, spec.detail, spec.channels) == ("band", "file", path, (7, 9))


@pytest.mark.parametrize("chosen", ["0", "a", "3-1", "1-", "-2", "", "1,,2", "65", "1-65", "1.5", "99999", "²", "1 2"])
@pytest.mark.parametrize(
    "what", ["mic:mixer", "mic", "system", "jack:Ardour", "drums=tone:55", "pcm:48000x2", "song.wav"]
)
def test_channels_that_cannot_be_are_refused_in_one_sentence(what: str, chosen: str) -> None:
    with pytest.raises(SourceError, match=r"were expected, e\.g\. @3,4") as caught:
        parse(f"{what}@{chosen}", "song.wav")
    assert f"'{what}@{chosen}'" in str(caught.value)


def test_a_channel_is_chosen_once() -> None:
    with pytest.raises(SourceError, match="twice"):
        parse("mic@1-3,2")


@pytest.mark.parametrize("name", ["my drums", "9th", "dr-ums", "ä", "in", "a.b", ""])
def test_a_name_that_mappings_could_not_say_is_refused(name: str) -> None:
    for rest in ("mic:mixer@1", "demo", "song.wav", "http://host/a"):
        with pytest.raises(SourceError, match="is no name for a sound"):
            parse(f"{name}={rest}", "song.wav")


@pytest.mark.parametrize(
    ("text", "example"),
    [("drums=", "drums=mic"), ("drums= ", "drums=mic"), ("drums=@1", "drums=mic"), ("@1", "mic"), (" ", "mic")],
)
def test_a_name_or_channels_without_a_source_are_refused(text: str, example: str) -> None:
    with pytest.raises(SourceError, match=rf"'{text}' names no sound; a source was expected, e\.g\. {example}\."):
        parse(text)


def test_the_disk_is_asked_and_odd_paths_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a=b@1.wav").touch()
    assert parse_spec(str(tmp_path / "a=b@1.wav")).channels == ()
    assert parse_spec(f"drums={tmp_path / 'a=b@1.wav'}@2").channels == (2,)
    # A folder and a pipe are no files.
    os.mkfifo(tmp_path / "demo")
    for odd in ("x" * 5000, "a\0b", str(tmp_path)):
        assert parse_spec(odd).detail == odd


@given(st.text(max_size=30))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_every_text_is_taken_apart_or_refused_in_one_sentence(text: str) -> None:
    with contextlib.suppress(SourceError):
        assert parse(text).detail in text


@given(st.lists(st.integers(1, 64), min_size=1, max_size=8, unique=True))
@settings(max_examples=50, derandomize=True, deadline=None)
def test_channels_keep_their_order(channels: list[int]) -> None:
    assert parse_channels(",".join(map(str, channels)), "") == tuple(channels)
