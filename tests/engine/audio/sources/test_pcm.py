"""Raw sound from a pipe: its formats, its end, its stalls, and what is refused."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from engine.audio.source import Source
from engine.audio.sources import stream
from engine.audio.sources.input_specs import parse_inputs
from engine.audio.sources.pcm import parse_pcm, pcm_source, piped_sound
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, SourceError
from tests.engine.app.shows import varied_sound
from tests.engine.audio.sources.devices import closes_at_once

RATE_HZ = 48000
READ_WITHIN_S = 30.0


class PipeEnd:
    """The end of a pipe that standard input would be."""

    def __init__(self, descriptor: int, terminal: bool = False) -> None:
        self._descriptor = descriptor
        self._terminal = terminal

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return self._terminal


class Program:
    """The program before the pipe."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self.end = PipeEnd(self._reading)

    def send(self, raw: bytes) -> None:
        """Write from a thread of its own, as much as the pipe takes, and close."""
        threading.Thread(target=self._send, args=[raw], daemon=True).start()

    def write(self, raw: bytes) -> None:
        os.write(self._writing, raw)

    def close(self) -> None:
        os.close(self._writing)

    def release(self) -> None:
        os.close(self._reading)

    def _send(self, raw: bytes) -> None:
        rest = memoryview(raw)
        while rest:
            rest = rest[os.write(self._writing, rest) :]
        self.close()


@pytest.fixture
def program() -> Iterator[Program]:
    started = Program()
    yield started
    started.release()


def read_until(source: Source, enough: int | None = None) -> tuple[np.ndarray, list[str]]:
    """Read to the end, or until `enough` samples have come; return them and the notices."""
    clock, parts, told = WallClock(), [np.zeros((0, source.channels), np.float32)], list[str]()
    deadline_s = clock.now_s() + READ_WITHIN_S
    while enough is None or sum(map(len, parts)) < enough:
        block = source.read()
        told += source.notices()
        if block is None:
            break
        parts.append(block[0])
        assert clock.now_s() < deadline_s, "no sound came"
        source.wait(0.1)
    return np.concatenate(parts), told


@pytest.mark.parametrize(
    ("detail", "raw_of"),
    [
        ("48000x2", lambda sound_TC: np.rint(sound_TC * 32767).astype("<i2")),
        ("48000x2xs16", lambda sound_TC: np.rint(sound_TC * 32767).astype("<i2")),
        ("48000x2xf32", lambda sound_TC: sound_TC.astype("<f4")),
    ],
)
def test_a_rendering_reads_all_that_is_piped_in(detail: str, raw_of: object, program: Program) -> None:
    sound_TC = varied_sound(1.5, RATE_HZ)
    program.send(raw_of(sound_TC).tobytes())  # type: ignore[operator]
    source = piped_sound(detail, program.end)
    assert (source.rate_hz, source.channels, source.live) == (RATE_HZ, 2, False)
    source.start()
    came_TC, told = read_until(source)
    assert came_TC.shape == sound_TC.shape
    assert np.abs(came_TC - sound_TC).max() < 2 / 32767
    assert told == []


def test_pieces_that_split_samples_are_put_together(program: Program) -> None:
    raw = (np.arange(2000) - 1000).astype("<i2").tobytes()
    source = piped_sound("48000x2", program.end)
    blocks = []
    for begin in range(0, len(raw), 37):
        program.write(raw[begin : begin + 37])
        if begin > 100:
            blocks.append(source.read())
    program.close()
    came_TC = np.concatenate([block[0] for block in blocks if block] + [read_until(source)[0]])
    assert np.array_equal(came_TC.ravel() * 32768, np.arange(2000) - 1000)


def test_live_a_program_that_sends_at_once_is_played_whole_and_the_show_ends_with_it(program: Program) -> None:
    sound_TC = varied_sound(3.0, RATE_HZ)
    program.send(sound_TC.astype("<f4").tobytes() + b"abc")
    source = pcm_source("48000x2xf32", WallClock(), program.end)
    source.start()
    came_TC, told = read_until(source)
    heard = np.flatnonzero(np.abs(came_TC).max(axis=1) > 0)
    offset = int(heard[0]) - int(np.flatnonzero(np.abs(sound_TC).max(axis=1) > 0)[0])
    assert np.array_equal(came_TC[offset : offset + len(sound_TC)], sound_TC)
    assert "3 bytes that are no whole sample" in told[0]
    assert "sends no more" in told[1]
    source.close()


def test_a_pipe_that_stalls_becomes_silence_until_it_returns(program: Program) -> None:
    loud = np.full((RATE_HZ // 5, 1), 0.5, np.float32).astype("<f4").tobytes()
    source = pcm_source("48000x1xf32", WallClock(), program.end)
    source.start()
    program.write(loud)
    told: list[str] = []
    while not any("gives no sound" in line for line in told):
        told += read_until(source, 1)[1]
    assert source.stalled
    assert not read_until(source, 2400)[0].any()
    program.write(loud)
    while not any("is back" in line for line in told):
        told += read_until(source, 1)[1]
    assert not source.stalled
    program.close()
    read_until(source)
    source.close()


def test_a_second_close_does_not_wait_again_for_a_pipe_that_stalls(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CLOSE_WITHIN_S", 0.01)
    source = pcm_source("48000x2", WallClock(), program.end)
    source.start()
    source.close()
    assert closes_at_once(source.close, monkeypatch, stream)
    program.close()


def test_a_fault_of_a_feed_is_no_end_of_its_sound() -> None:
    def feed(intake: stream.Intake) -> None:
        raise ZeroDivisionError

    form = stream.StreamFormat(name="feed", rate_hz=RATE_HZ, channels=1, skips=False, most_ready_s=1.0)
    source = stream.StreamSource(form, feed, WallClock())
    source.start()
    with pytest.raises(ZeroDivisionError):
        read_until(source)
    source.close()


def test_a_pipe_that_ends_without_sound_is_one_sentence(program: Program) -> None:
    program.close()
    for source in (pcm_source("48000x2", WallClock(), program.end), piped_sound("48000x2", program.end)):
        source.start()
        with pytest.raises(SourceError, match="standard input gave no sound: it ended"):
            read_until(source)
        source.close()


def test_a_terminal_is_refused() -> None:
    with pytest.raises(SourceError, match="nothing is piped in; pipe a program into it"):
        pcm_source("48000x2", WallClock(), PipeEnd(0, terminal=True))


@pytest.mark.parametrize(
    "detail",
    [
        "",
        "48000",
        "48000x",
        "x2",
        "0x2",
        "7999x2",
        "192001x2",
        "48000x0",
        "48000x65",
        "48000x2xs24",
        "44.1x2",
        "٤٨٠٠٠x2",
    ],
)
def test_an_unknown_format_is_refused_with_the_form(detail: str) -> None:
    with pytest.raises(SourceError, match="pcm:RATExCHANNELS was expected"):
        parse_pcm(detail)


def test_two_inputs_cannot_read_standard_input_in_different_formats() -> None:
    assert len(parse_inputs(("a=pcm:48000x4@1", "b=pcm:48000x4@2,3"))) == 2
    with pytest.raises(ConfigError, match="Two inputs read standard input in different formats"):
        parse_inputs(("a=pcm:48000x2", "b=pcm:44100x2"))
