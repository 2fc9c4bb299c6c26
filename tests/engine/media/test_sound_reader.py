"""Sound files as people bring them: each is written with PyAV, and its clicks are found where they belong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from engine.audio.sources.media_file import MediaFileSource
from engine.core.errors import MediaError
from engine.media.sound_reader import SoundReader
from tests.processes import write_sound

RATE_HZ, SECONDS = 48000, 4
INTEGER = ("pcm_s16le", "pcm_s16be", "libopus")
"""Encoders that take samples of 16 bits, channels in turn."""
CLICKS_S = (1.0, 3.0)


def clicking(channels: int = 1, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Return sound [T, C] with a click of 20 ms at each of CLICKS_S, on all channels."""
    sound_T = np.zeros(SECONDS * rate_hz, np.float32)
    for click_s in CLICKS_S:
        start = round(click_s * rate_hz)
        sound_T[start : start + rate_hz // 50] = 0.5 * np.cos(2 * np.pi * 1000 * np.arange(rate_hz // 50) / rate_hz)
    return np.tile(sound_T[:, None], (1, channels))


def write(
    path: Path,
    codec: str = "aac",
    layout: str = "mono",
    rate_hz: int = RATE_HZ,
    lost_s: Sequence[tuple[float, float]] = (),
    clock: float = 1.0,
) -> Path:
    """Write the clicks; packets within `lost_s` are missing, and time stamps run by the factor `clock`."""
    channels = av.AudioLayout(layout).nb_channels
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate_hz, layout=layout)
        stream.format = "s16" if codec in INTEGER else "fltp"
        sound_TC = clicking(channels, rate_hz)
        for start in range(0, len(sound_TC), 1024):
            block_TC = sound_TC[start : start + 1024]
            data = (block_TC * 32767).astype(np.int16).reshape(1, -1) if codec in INTEGER else block_TC.T.copy()
            frame = av.AudioFrame.from_ndarray(data, stream.format.name, layout)
            frame.sample_rate, frame.pts = rate_hz, start
            _mux(container, stream.encode(frame), lost_s, clock)
        _mux(container, stream.encode(None), lost_s, clock)
    return path


def _mux(container: Any, packets: list[Any], lost_s: Sequence[tuple[float, float]], clock: float) -> None:
    for packet in packets:
        time_s = float(packet.pts * packet.time_base)
        if not any(begin_s <= time_s < end_s for begin_s, end_s in lost_s):
            packet.pts = packet.dts = round(packet.pts * clock)
            container.mux(packet)


def read(path: Path, track: str | int | None = None) -> tuple[np.ndarray, int, list[str]]:
    with SoundReader(path, track) as reader:
        sound_TC = np.concatenate(list(reader.blocks_from(reader.zero_s)))
        return sound_TC, reader.rate_hz, reader.notices()


def clicks_s(sound_TC: np.ndarray, rate_hz: int = RATE_HZ) -> list[float]:
    """Return where the clicks begin."""
    sound_T = np.abs(sound_TC).max(axis=1)
    loud = np.flatnonzero(sound_T > 0.5 * sound_T.max())
    return [float(part[0]) / rate_hz for part in np.split(loud, np.flatnonzero(np.diff(loud) > rate_hz // 10) + 1)]


@pytest.mark.parametrize("name", ["a.wav", "a.w64", "a.caf", "a.aiff", "a.mkv", "a.mov"])
def test_every_container_gives_the_samples(tmp_path: Path, name: str) -> None:
    sound_TC, rate_hz, notices = read(write(tmp_path / name, "pcm_s16be" if name == "a.aiff" else "pcm_s16le"))
    assert (len(sound_TC), rate_hz, notices) == (SECONDS * RATE_HZ, RATE_HZ, [])
    assert np.abs(sound_TC - clicking()).max() < 1e-4


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "aac"), ("a.m4a", "aac"), ("a.opus", "libopus"), ("a.webm", "libopus")]
)
def test_what_encoders_need_to_start_is_left_out(tmp_path: Path, name: str, codec: str) -> None:
    assert clicks_s(read(write(tmp_path / name, codec))[0]) == pytest.approx(CLICKS_S, abs=1e-3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_gaps_are_silent_and_told(tmp_path: Path, name: str) -> None:
    whole_TC, *_ = read(write(tmp_path / f"whole_{name}"))
    sound_TC, _, notices = read(write(tmp_path / name, lost_s=[(1.5, 2.0), (2.3, 2.315)]))
    assert clicks_s(sound_TC) == pytest.approx(clicks_s(whole_TC), abs=1e-3)
    assert len(sound_TC) == pytest.approx(len(whole_TC), abs=RATE_HZ // 1000)
    assert [f"{name} has a gap from" in notice for notice in notices] == [True, True]


@pytest.mark.parametrize("clock", [0.995, 1.005])
def test_a_clock_that_runs_off_is_followed(tmp_path: Path, clock: float) -> None:
    sound_TC, *_ = read(write(tmp_path / "a.mp4", clock=clock))
    assert clicks_s(sound_TC) == pytest.approx([clock * click_s for click_s in CLICKS_S], abs=1e-3)


def test_rate_and_channels_may_change_on_the_way(tmp_path: Path) -> None:
    parts = [
        write(tmp_path / f"{number}.mp3", "mp3", layout, rate_hz).read_bytes()
        for number, (layout, rate_hz) in enumerate([("mono", 48000), ("stereo", 44100), ("mono", 22050)])
    ]
    (tmp_path / "all.mp3").write_bytes(b"".join(parts))
    sound_TC, rate_hz, notices = read(tmp_path / "all.mp3")
    assert (rate_hz, sound_TC.shape[1], len(clicks_s(sound_TC))) == (48000, 1, 6)
    steps_s = np.diff(clicks_s(sound_TC))
    assert steps_s[[0, 2, 4]] == pytest.approx(2.0, abs=1e-3)
    assert any("from 48000 to 44100 Hz" in notice for notice in notices)
    assert any("from 1 to 2 channels" in notice for notice in notices)


def test_eight_channels_with_a_map_do_not_end_the_process(tmp_path: Path) -> None:
    """PyAV frees the map of such a layout with each object that shows it."""
    path = write(tmp_path / "eight.mov", "pcm_s16le", "7.1")
    for _ in range(5):
        sound_TC, *_ = read(path)
    assert clicks_s(sound_TC) == pytest.approx(CLICKS_S, abs=1e-4)


def test_bytes_after_the_end_and_a_cut_end_play(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mp3", "mp3").read_bytes()
    (tmp_path / "padded.mp3").write_bytes(whole + b"\xaa" * 2000)
    (tmp_path / "cut.mp3").write_bytes(whole[: len(whole) // 2])
    assert len(clicks_s(read(tmp_path / "padded.mp3")[0])) == 2
    assert len(clicks_s(read(tmp_path / "cut.mp3")[0])) == 1


def test_a_file_without_its_index_is_refused_in_one_sentence(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"cut\.mp4 is not a sound or video file that can be read"):
        read(tmp_path / "cut.mp4")


@pytest.mark.parametrize("name", ["20:15.wav", "100%d.wav", "-a#.wav", "ä ö.wav"])
def test_a_path_is_a_path(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(write(tmp_path / "a.wav", "pcm_s16le").read_bytes())
    assert len(read(tmp_path / name)[0]) == SECONDS * RATE_HZ


def test_a_track_is_chosen_by_number_and_language_and_a_silent_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        tracks: list[Any] = [container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono") for _ in range(2)]
        for track, language in zip(tracks, ("ger", "eng"), strict=True):
            track.metadata["language"] = language
        for track, sound_TC in zip(tracks, (0 * clicking(), clicking()), strict=True):
            frame = av.AudioFrame.from_ndarray((sound_TC * 32767).astype(np.int16).reshape(1, -1), "s16", "mono")
            frame.sample_rate = RATE_HZ
            container.mux([*track.encode(frame), *track.encode(None)])
    sound_TC, _, notices = read(path)
    assert not sound_TC.any()
    assert any("is silent; audible is 2 (eng)" in notice for notice in notices)
    for track in (2, "2", "eng"):
        assert clicks_s(read(path, track)[0]) == pytest.approx(CLICKS_S)
    with pytest.raises(MediaError, match=r"has 2 sound tracks, 1 \(ger\), 2 \(eng\), and no track '3'"):
        read(path, 3)
    with pytest.raises(MediaError, match=r"has one sound track, 1, and no track '3'; choose none\.$"):
        read(write_sound(tmp_path / "one.wav", 0.5), 3)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.mp4", "aac"), ("a.mp3", "mp3"), ("a.opus", "libopus")]
)
def test_every_pass_of_a_repeated_file_is_the_same(tmp_path: Path, name: str, codec: str) -> None:
    path = write(tmp_path / name, codec)
    once_TC, *_ = read(path)
    source = MediaFileSource(path, repeat=True)
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < 3 * len(once_TC):
        came = source.read()
        assert came is not None
        parts.append(came[0])
    source.close()
    passes = np.concatenate(parts)[: 3 * len(once_TC)].reshape(3, len(once_TC), -1)
    assert all(np.array_equal(one_TC, once_TC) for one_TC in passes)


def test_what_there_is_to_tell_of_a_repeated_file_is_told_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", lost_s=[(1.5, 2.0)])
    samples = len(read(path)[0])
    source = MediaFileSource(path, repeat=True)
    heard, told = 0, list[str]()
    while heard < 3 * samples:
        came = source.read()
        assert came is not None
        heard += len(came[0])
        told += source.notices()
    source.close()
    assert [sentence.startswith("The sound of a.mkv has a gap from 1.5") for sentence in told] == [True]
