"""Addresses that cannot be, answers without sound, playlists that reach for files, and damaged sound."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from engine.audio.sources.registry import open_source
from engine.core.errors import MediaError, UserError
from engine.media.address_reader import AddressReader
from tests.engine.audio.sources.servers import WebServer, encoded, tone


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (
            "http://me:hidden@127.0.0.1:1/a?key=hidden",
            r"http://127.0.0.1:1/a\?\.\.\. cannot be opened \(Connection refused\)",
        ),
        ("rtmp://127.0.0.1:1/live/a", "Connection refused"),
        ("rtsp://me:hidden@127.0.0.1:1/a", "Connection refused"),
        ("tcp://127.0.0.1:1", "Connection refused"),
        ("http://nowhere.invalid/a", "no machine called nowhere.invalid is known"),
        ("http://nowhere.invalid/\x1b[2J", r"nowhere.invalid/\\x1b\[2J"),
        ("http://[::1", "cannot be opened"),
        ("rtsp://", "cannot be opened"),
        (
            "srt://me:hidden@host:9/a?passphrase=hidden",
            "srt is none of http, https.*ffmpeg -i ADDRESS.*--source pcm:48000x2",
        ),
        ("rist://host:9", "rist is none of"),
        ("file:///etc/hostname", "is a file; give its path alone"),
        ("concat://a.wav|b.wav", "concat is none of"),
        ("http://me:hid/den@127.0.0.1:1/a", "cannot be opened"),
        ("http://me:hidden@127.0.0.1:1/a@99", "channels '99'"),
    ],
)
def test_an_address_that_cannot_be_is_refused_in_one_sentence_without_its_password(spec: str, says: str) -> None:
    for live in (True, False):
        with pytest.raises(UserError, match=says) as caught:
            open_source(spec, live=live)
        sentence = str(caught.value)
        assert "hid" not in sentence
        assert sentence.isprintable()


@pytest.mark.parametrize(
    ("path", "says"), [("nothing", "404"), ("page.html", "Invalid data"), ("film", "no sound track")]
)
def test_an_answer_without_sound_is_one_sentence(path: str, says: str, web: WebServer, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "film.mkv"), "w") as container:
        film = container.add_stream("mpeg4", rate=10)
        film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
        for _ in range(5):
            container.mux(film.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        container.mux(film.encode(None))
    web.files["film"] = (tmp_path / "film.mkv").read_bytes()
    with pytest.raises(MediaError, match=says):
        open_source(web.url(path), live=True)


def test_a_playlist_leads_to_addresses_and_never_to_files_of_this_machine(web: WebServer, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(web.files["song.wav"])
    segment = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.5,\n{}\n#EXT-X-ENDLIST\n"
    web.files |= {
        "good.m3u8": segment.format("short.mp3").encode(),
        "file.m3u8": segment.format(f"file://{secret}").encode(),
        "path.m3u8": segment.format(secret).encode(),
        "list.ffconcat": f"ffconcat version 1.0\nfile 'file:{secret}'\n".encode(),
    }
    good = open_source(web.url("good.m3u8"), live=False)
    block = good.read()
    assert block is not None
    assert len(block[0])
    good.close()
    for name in ("file.m3u8", "path.m3u8", "list.ffconcat"):
        with pytest.raises(MediaError, match="cannot be opened"):
            open_source(web.url(name), live=True)
    local = tmp_path / "list.m3u8"
    local.write_bytes(web.files["good.m3u8"].replace(b"short.mp3", web.url("short.mp3").encode()))
    before = web.connections
    with pytest.raises(MediaError):
        open_source(str(local), live=False)
    assert web.connections == before


def test_damaged_sound_from_a_server_plays_or_is_one_sentence(web: WebServer, tmp_path: Path) -> None:
    """Of each kind some with wrong bytes, some cut short, some joined with another."""
    random = np.random.default_rng(3)
    seeds = {
        "a.mp3": web.files["long.mp3"][:40_000],
        "a.ogg": web.files["song.ogg"],
        "a.wav": web.files["song.wav"][:40_000],
        "a.ts": encoded(tmp_path / "a.ts", "mp2", tone(1.0)),
        "a.flac": encoded(tmp_path / "a.flac", "flac", tone(1.0)),
    }
    played, said = 0, list[str]()
    for number in range(60):
        name = sorted(seeds)[number % len(seeds)]
        damaged = np.frombuffer(seeds[name], np.uint8).copy()
        places = random.integers(0, len(damaged), (1, 30, 300)[number % 3])
        damaged[places] = random.integers(0, 256, len(places))
        other = seeds[sorted(seeds)[int(random.integers(0, len(seeds)))]]
        cut = int(random.integers(0, len(damaged)))
        web.files["damaged"] = damaged.tobytes() if number % 2 else damaged[:cut].tobytes() + other[cut:]
        try:
            reader = AddressReader(web.url("damaged"))
            played += all(block_TC.shape[1] == reader.channels for block_TC in reader.blocks())
            assert all(line.isprintable() for line in reader.notices())
            reader.close()
        except MediaError as error:
            said.append(str(error))
    assert played > 20
    assert all(sentence.isprintable() for sentence in said)
