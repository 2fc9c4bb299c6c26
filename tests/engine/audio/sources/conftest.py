"""A web server with sounds to play."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.audio.sources.servers import WebServer, encoded, tone, web_server


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    files = {
        "song.wav": encoded(tmp_path / "song.wav", "pcm_s16le", tone(1.5)),
        "song.ogg": encoded(tmp_path / "song.ogg", "libopus", tone(1.5)),
        "long.mp3": encoded(tmp_path / "long.mp3", "libmp3lame", tone(12.0)),
        "short.mp3": encoded(tmp_path / "short.mp3", "libmp3lame", tone(1.0)),
        "mono.mp3": encoded(tmp_path / "mono.mp3", "libmp3lame", tone(12.0, 1, 22050), 22050),
        "page.html": b"<html>no sound</html>" * 50,
    }
    seconds = {"long.mp3": 12.0, "short.mp3": 1.0, "mono.mp3": 12.0}
    with web_server(files, seconds=seconds) as server:
        yield server
