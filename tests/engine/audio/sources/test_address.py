"""Sound that servers, cameras and other programs send: real senders on this machine, what they break, and what is refused."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from engine.audio.source import Source
from engine.audio.sources import address
from engine.audio.sources.registry import open_source
from engine.core.clock import WallClock
from engine.core.errors import MediaError, SourceError
from engine.media import connection
from tests.engine.audio.sources.servers import RtspCamera, WebServer, free_port, sender, tone

RATE_HZ = 48000
WITHIN_S = 40.0


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "RETRIES_S", (0.05, 0.1))


class Listener:
    """Reads a source as a show does."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.told: list[str] = []
        self.sound_TC = np.zeros((0, source.channels), np.float32)
        source.start()

    def until(self, reached: Callable[[], bool]) -> None:
        """Read until that is so, or the sound ends."""
        clock, parts = WallClock(), [self.sound_TC]
        deadline_s = clock.now_s() + WITHIN_S
        while not reached():
            block = self.source.read()
            self.told += self.source.notices()
            if block is None:
                break
            parts.append(block[0])
            assert clock.now_s() < deadline_s, f"not reached; told {self.told}"
            self.source.wait(0.1)
        self.sound_TC = np.concatenate(parts)

    def hear(self, seconds: float) -> float:
        """Read so much more and return its root mean square."""
        before = heard = len(self.sound_TC)
        parts = [self.sound_TC]
        while heard < before + seconds * self.source.rate_hz:
            block = self.source.read()
            assert block is not None, f"ended; told {self.told}"
            self.told += self.source.notices()
            parts.append(block[0])
            heard += len(block[0])
            self.source.wait(0.1)
        self.sound_TC = np.concatenate(parts)
        return float(np.sqrt(np.square(self.sound_TC[before:]).mean()))

    def until_told(self, text: str) -> None:
        seen = len(self.told)
        self.until(lambda: any(text in line for line in self.told[seen:]))


def test_a_recording_is_played_whole_at_its_pace_and_ends_like_a_file(web: WebServer) -> None:
    listener = Listener(open_source(web.url("song.wav"), live=True))
    listener.until(lambda: False)
    listener.source.close()
    begin = int(np.flatnonzero(np.abs(listener.sound_TC[:, 0]) > 0.01)[0]) - 1
    assert np.abs(listener.sound_TC[max(0, begin) :][: len(tone(1.5))] - tone(1.5)).max() < 0.05
    assert listener.told == []
    assert web.connections == 1


@pytest.mark.parametrize("name", ["song.wav", "song.ogg"])
def test_a_recording_is_rendered_as_fast_as_it_comes(name: str, web: WebServer) -> None:
    source = open_source(web.url(name), live=False)
    source.start()
    parts = []
    while (block := source.read()) is not None:
        parts.append(block[0])
    source.close()
    assert not source.live
    assert sum(map(len, parts)) / source.rate_hz == pytest.approx(1.5, abs=0.03)
    assert np.sqrt(np.square(np.concatenate(parts)).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_a_recording_is_repeated(web: WebServer) -> None:
    listener = Listener(open_source(web.url("song.wav"), live=True, repeat=True))
    assert listener.hear(3.5) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    listener.source.close()
    assert listener.told == []
    assert web.connections >= 2


@pytest.mark.parametrize("refused", [0, 2])
def test_a_recording_that_breaks_off_is_continued_where_it_stopped(refused: int, web: WebServer) -> None:
    """No sample is lost and none comes twice, however often the server refuses before."""
    rising_T = np.arange(2 * RATE_HZ, dtype=np.int32).astype("<i2")
    head = web.files["song.wav"][: web.files["song.wav"].index(b"data") + 4]
    web.files["rising.wav"] = head + (4 * len(rising_T)).to_bytes(4, "little") + np.repeat(rising_T, 2).tobytes()
    web.recordings_break_at["rising.wav"], web.refused_after_break = 100_000, refused
    listener = Listener(open_source(web.url("rising.wav"), live=True))
    listener.until(lambda: False)
    listener.source.close()
    assert "broke off" in listener.told[0]
    assert sum("cannot be opened" in line for line in listener.told) == min(refused, 1)
    assert any("is connected again." in line for line in listener.told)
    came_T = np.rint(listener.sound_TC[:, 0] * 32768).astype(np.int32)
    # Silence stands where the connection was away.
    assert np.array_equal(came_T[came_T != 0], rising_T[rising_T != 0])


def test_a_radio_never_ends_and_cannot_be_rendered(web: WebServer) -> None:
    listener = Listener(open_source(web.url("radio/short.mp3"), live=True))
    assert listener.hear(0.6) > 0.3
    listener.until_told("connected again")
    listener.hear(0.5)
    listener.source.close()
    assert web.connections >= 2
    with pytest.raises(SourceError, match="live and never ends"):
        open_source(web.url("radio/long.mp3"), live=False)


def test_a_radio_that_is_cut_off_is_connected_again_until_it_answers(web: WebServer) -> None:
    web.cut_after = len(web.files["long.mp3"]) // 8
    listener = Listener(open_source(web.url("radio/long.mp3?token=hidden", login="me:hidden@"), live=True))
    assert listener.hear(1.0) > 0.3
    web.refuses = True
    listener.until_told("The next attempt follows")
    listener.until_told("gives no sound; silence replaces it")
    assert listener.source.stalled
    assert listener.hear(0.2) == 0.0
    web.refuses = False
    listener.until_told("is back after")
    assert listener.hear(1.0) > 0.3
    listener.source.close()
    lines = [*listener.told, listener.source.name]
    assert any("connected again" in line for line in lines)
    assert not [line for line in lines if "hidden" in line or "me:" in line or not line.isprintable()]


def test_a_radio_that_stalls_becomes_silence(web: WebServer) -> None:
    web.cut_after, web.stalls = len(web.files["long.mp3"]) // 4, True
    listener = Listener(open_source(web.url("radio/long.mp3"), live=True))
    listener.until_told("gives no sound; silence replaces it")
    assert listener.hear(0.3) == 0.0
    listener.source.close()


def test_a_radio_that_returns_in_another_format_is_converted(web: WebServer) -> None:
    web.cut_after = len(web.files["long.mp3"]) // 12
    listener = Listener(open_source(web.url("radio/long.mp3"), live=True))
    assert (listener.source.rate_hz, listener.source.channels) == (RATE_HZ, 2)
    web.files["long.mp3"], web.cut_after = web.files["mono.mp3"], None
    listener.until_told("returned with 22050 Hz and 1 channel; its sound is converted")
    listener.until(lambda: not listener.source.stalled)
    listener.hear(1.0)
    assert listener.sound_TC.shape[1] == 2
    assert listener.hear(1.0) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    listener.source.close()


def test_a_feed_of_datagrams_is_heard_and_heard_again_when_its_sender_returns() -> None:
    port = free_port(socket.SOCK_DGRAM)
    output = ("-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316")
    with sender(*output):
        listener = Listener(open_source(f"udp://127.0.0.1:{port}", live=True))
        listener.hear(1.0)
        assert listener.hear(1.0) > 0.05
    listener.until_told("gives no sound; silence replaces it")
    with sender(*output):
        listener.until_told("is back after")
        listener.hear(0.5)
        assert listener.hear(1.0) > 0.05
    listener.source.close()


@pytest.mark.parametrize(
    ("output", "input"),
    [
        (("-f", "mpegts", "tcp://127.0.0.1:{port}?listen=1"), "tcp://127.0.0.1:{port}"),
        (("-f", "flv", "-listen", "1", "rtmp://127.0.0.1:{port}/live/a"), "rtmp://127.0.0.1:{port}/live/a"),
    ],
)
def test_a_feed_over_a_connection_is_heard_and_connected_again(output: tuple[str, ...], input: str) -> None:
    port = free_port()
    output = tuple(part.format(port=port) for part in output)
    with sender(*output):
        listener = Listener(opened_when_it_listens(input.format(port=port)))
        listener.hear(1.0)
        assert listener.hear(1.0) > 0.05
    listener.until_told("is connected again as soon as it answers")
    with sender(*output):
        listener.until_told("is connected again.")
        listener.hear(1.0)
        assert listener.hear(1.0) > 0.05
    listener.source.close()


@pytest.fixture
def camera() -> Iterator[RtspCamera]:
    made = RtspCamera()
    yield made
    made.close()


def test_a_camera_is_heard_and_connected_again(camera: RtspCamera) -> None:
    listener = Listener(open_source(f"rtsp://me:hidden@127.0.0.1:{camera.port}/stage", live=True))
    assert (listener.source.rate_hz, listener.source.channels) == (RATE_HZ, 1)
    listener.hear(1.0)
    assert listener.hear(1.0) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)
    camera.cut.set()
    listener.until_told("is connected again as soon as it answers")
    camera.cut.clear()
    listener.until_told("is connected again.")
    listener.hear(1.0)
    assert listener.hear(1.0) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)
    listener.source.close()
    assert camera.connections == 2
    assert "hidden" not in "".join(listener.told)
    with pytest.raises(SourceError, match="live and never ends"):
        open_source(f"rtsp://127.0.0.1:{camera.port}/stage", live=False)


def test_a_recording_on_a_camera_ends() -> None:
    camera = RtspCamera(seconds=1.0)
    listener = Listener(open_source(f"rtsp://127.0.0.1:{camera.port}/stage", live=True))
    listener.until(lambda: False)
    listener.source.close()
    camera.close()
    assert np.abs(listener.sound_TC[-2400:]).max() > 0.2
    assert camera.connections == 1


def test_senders_that_say_nothing_are_given_up(monkeypatch: pytest.MonkeyPatch, web: WebServer) -> None:
    monkeypatch.setattr(connection, "OPEN_WITHIN_S", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for url in (
            f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}",
            f"http://127.0.0.1:{port}/a",
            f"tcp://127.0.0.1:{port}",
        ):
            with pytest.raises(MediaError, match=r"cannot be opened \(nothing came within 0.4 s\)"):
                open_source(url, live=True)
    monkeypatch.setattr(connection, "READ_WITHIN_S", 1.0)
    web.cut_after, web.stalls = len(web.files["long.mp3"]) // 4, True
    monkeypatch.setattr(connection, "OPEN_WITHIN_S", 10.0)
    listener = Listener(open_source(web.url("radio/long.mp3"), live=True))
    listener.until_told("broke off (nothing came within 1 s)")
    listener.until_told("is connected again.")
    listener.source.close()


def opened_when_it_listens(url: str) -> Source:
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        try:
            return open_source(url, live=True)
        except MediaError:
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
