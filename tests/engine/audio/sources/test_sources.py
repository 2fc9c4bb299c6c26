"""Sources: what is accepted, what is refused, and how a stalled device is bridged."""

from __future__ import annotations

import builtins
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from engine.app.openers import duration_s
from engine.audio.source import Source
from engine.audio.sources import portaudio
from engine.audio.sources.demo import BEAT_S, QUIET_BAR, demo_sound
from engine.audio.sources.media_file import MediaFileSource
from engine.audio.sources.paced import LONGEST_LAG_S, PacedSource
from engine.audio.sources.registry import open_source
from engine.audio.sources.samples import SampleSource
from engine.audio.sources.watchdog import STALL_S, Watchdog
from engine.core.errors import MediaError, SourceError
from tests.engine.app.shows import InventedClock, varied_sound

RATE_HZ = 44100


def write_wav(path: Path, sound_TC: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(sound_TC.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.rint(sound_TC * 32767).astype("<i2").tobytes())
    return path


def write_media(path: Path, codec: str, sound_TC: np.ndarray | None) -> Path:
    """Write sound with `codec`, or a film without sound for None."""
    with av.open(str(path), "w") as container:
        if sound_TC is None:
            film: Any = container.add_stream("mpeg4", rate=10)
            film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
            frames: list[Any] = [av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")] * 5
        else:
            film = container.add_stream(codec, rate=RATE_HZ, layout="stereo")
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound_TC.T), "fltp", "stereo")
            frame.sample_rate = RATE_HZ
            frames = [frame]
        for frame in frames:
            container.mux(film.encode(frame))
        container.mux(film.encode(None))
    return path


def read_all(source: Source) -> np.ndarray:
    source.start()
    parts = []
    while (came := source.read()) is not None:
        parts.append(came[0])
    source.close()
    return np.concatenate(parts)


def test_a_wav_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    sound_TC = varied_sound(0.4, RATE_HZ)
    source = open_source(str(write_wav(tmp_path / "song.wav", sound_TC)), live=False)
    assert (source.name, source.rate_hz, source.channels, source.live) == ("song.wav", RATE_HZ, 2, False)
    assert np.abs(read_all(source) - sound_TC).max() < 2 / 32767


@pytest.mark.parametrize(("name", "codec"), [("song.flac", "flac"), ("song.mp4", "aac"), ("song.mkv", "aac")])
def test_any_container_with_sound_will_do(tmp_path: Path, name: str, codec: str) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)
    path = write_media(tmp_path / name, codec, np.stack([tone, tone], 1).astype(np.float32))
    came = read_all(MediaFileSource(path))
    assert len(came) == pytest.approx(RATE_HZ, abs=4096)
    assert np.sqrt(np.square(came[8000:36000]).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def test_tags_that_are_no_utf_8_do_not_matter(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "song.wav", varied_sound(0.1, RATE_HZ, 1))
    content = (
        path.read_bytes() + b"LIST" + (16).to_bytes(4, "little") + b"INFOINAM" + (4).to_bytes(4, "little") + b"caf\xe9"
    )
    path.write_bytes(b"RIFF" + (len(content) - 8).to_bytes(4, "little") + content[8:])
    assert len(read_all(open_source(str(path), live=False))) == round(0.1 * RATE_HZ)
    assert duration_s(str(path), None) == pytest.approx(0.1)


def test_unnamed_channels_are_mixed_to_one(tmp_path: Path) -> None:
    source = MediaFileSource(write_wav(tmp_path / "six.wav", varied_sound(0.1, RATE_HZ, 6)))
    assert (source.channels, read_all(source).shape[1]) == (1, 1)


def bad_media(kind: str, folder: Path) -> Path:
    path = folder / f"{kind}.wav"
    if kind == "text":
        path.write_text("no sound in here\n" * 100)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "no_samples":
        write_wav(path, np.zeros((0, 1), np.float32))
    elif kind == "film":
        return write_media(folder / "film.mp4", "", None)
    elif kind == "headless":
        whole = write_media(folder / "whole.mp4", "aac", varied_sound(1.0, RATE_HZ))
        path = folder / "headless.mp4"
        path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "no file"),
        ("text", "not a sound or video file"),
        ("empty", "not a sound or video file"),
        ("no_samples", "holds no sound"),
        ("film", "no sound track"),
        ("headless", "not a sound or video file"),
    ],
)
def test_a_file_without_sound_is_refused_in_one_sentence(kind: str, says: str, tmp_path: Path) -> None:
    path = bad_media(kind, tmp_path)
    with pytest.raises(MediaError, match=says) as caught:
        read_all(open_source(str(path), live=False))
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_played_live_arrives_at_the_pace_of_the_clock(tmp_path: Path) -> None:
    clock, sound_TC = InventedClock(), varied_sound(0.5, RATE_HZ)
    source = open_source(str(write_wav(tmp_path / "song.wav", sound_TC)), live=True, clock=clock)
    assert source.live
    source.start()
    start_s, parts = clock.now_s(), []
    while (came := source.read()) is not None:
        block_TC, captured_s = came
        parts.append(block_TC)
        received_s = sum(map(len, parts)) / RATE_HZ
        assert captured_s == pytest.approx(start_s + received_s)
        assert received_s <= clock.now_s() - start_s
        source.wait(0.1)
    assert np.abs(np.concatenate(parts) - sound_TC).max() < 2 / 32767
    assert clock.now_s() - start_s == pytest.approx(0.5, abs=0.02)


def test_a_looped_file_has_no_gap(tmp_path: Path) -> None:
    clock, sound_TC = InventedClock(), varied_sound(0.2, RATE_HZ)
    source = open_source(str(write_wav(tmp_path / "loop.wav", sound_TC)), live=True, repeat=True, clock=clock)
    source.start()
    parts = []
    while clock.now_s() < 1000.5:
        came = source.read()
        assert came is not None
        parts.append(came[0])
        source.wait(0.01)
    came_TC = np.concatenate(parts)
    assert np.abs(came_TC - np.tile(sound_TC, (3, 1))[: len(came_TC)]).max() < 2 / 32767


def test_after_a_suspend_the_sound_continues_where_it_stopped() -> None:
    clock = InventedClock()
    source = PacedSource(SampleSource("song", varied_sound(9.0, RATE_HZ), RATE_HZ), clock)
    source.start()
    clock.sleep(0.5)
    assert len(source.read()[0]) == RATE_HZ // 2  # type: ignore[index]
    clock.sleep(LONGEST_LAG_S + 3600.0)
    assert len(source.read()[0]) == 0  # type: ignore[index]
    clock.sleep(0.1)
    assert len(source.read()[0]) == pytest.approx(RATE_HZ // 10, abs=1)  # type: ignore[index]


def test_the_demo_is_always_the_same_and_has_dynamics() -> None:
    sound_TC = demo_sound()
    assert np.array_equal(sound_TC, demo_sound())
    assert np.isfinite(sound_TC).all()
    assert 0.5 < np.abs(sound_TC).max() <= 1.0
    bars = sound_TC.reshape(16, -1)
    loudness = np.sqrt(np.square(bars).mean(1))
    assert loudness[QUIET_BAR] < 0.4 * loudness[8:].min()
    assert len(sound_TC) / 48000 == 64 * BEAT_S


def test_the_tone_swells_and_has_its_frequency() -> None:
    source = open_source("tone:1000", live=False)
    sound_T = read_all(source)[:, 0]
    spectrum = np.abs(np.fft.rfft(sound_T))
    assert np.argmax(spectrum) * source.rate_hz / len(sound_T) == pytest.approx(1000, abs=0.1)
    assert np.abs(sound_T[:4800]).max() < 0.05
    assert np.abs(sound_T[2 * 48000 - 4800 : 2 * 48000 + 4800]).max() == pytest.approx(0.5, abs=0.01)
    assert "440" in open_source("tone", live=True).name


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("dmeo", "Did you mean 'demo'"),
        ("whatever", "mic, mic:NAME, demo, tone"),
        ("tone:loud", "frequency"),
        ("tone:-3", "frequency"),
        ("tone:nan", "frequency"),
        ("/nowhere/song.wav", "no file"),
    ],
)
def test_an_unknown_source_is_refused(spec: str, says: str) -> None:
    with pytest.raises((SourceError, MediaError), match=says):
        open_source(spec, live=True)


def test_a_microphone_cannot_be_rendered() -> None:
    with pytest.raises(SourceError, match="never ends"):
        open_source("mic", live=False)


class Devices:
    """What PortAudio would list."""

    PortAudioError = RuntimeError

    def __init__(self, *names: str, default: int = -1) -> None:
        self._names = names
        self.default = type("Default", (), {"device": (default, default)})

    def query_devices(self) -> list[dict[str, Any]]:
        return [
            {"index": i, "name": name, "max_input_channels": 0 if "out" in name else 32, "default_samplerate": 44100.0}
            for i, name in enumerate(self._names)
        ]

    def check_input_settings(self, **settings: Any) -> None:
        if settings["device"] == 0:
            raise RuntimeError("Invalid sample rate")

    def _terminate(self) -> None: ...

    def _initialize(self) -> None: ...


def test_devices_are_found_by_part_of_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = Devices("USB Mixer: Audio (hw:1)", "pulse", "hdmi out", "usb", default=0)
    monkeypatch.setattr(portaudio, "load_sounddevice", lambda: devices)
    monkeypatch.setattr("sys.platform", "linux")
    assert portaudio.find_input(None).name == "pulse"
    assert portaudio.find_input("mixer").index == 0
    assert portaudio.find_input("USB").name == "usb"
    assert portaudio.find_input("usb").channels == 2
    assert portaudio.has_microphone()
    with pytest.raises(SourceError, match="'USB Mixer: Audio \\(hw:1\\)'"):
        portaudio.find_input("hdmi")
    assert portaudio.choose_rate_hz(portaudio.find_input("mixer")) == 44100
    assert portaudio.choose_rate_hz(portaudio.find_input("pulse")) == 48000
    monkeypatch.setattr("sys.platform", "darwin")
    assert portaudio.find_input(None).index == 0


def test_without_devices_or_portaudio_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portaudio, "load_sounddevice", lambda: Devices("an out"))
    with pytest.raises(SourceError, match="No microphone"):
        portaudio.find_input(None)
    assert not portaudio.has_microphone()
    monkeypatch.undo()
    real_import = builtins.__import__

    def without_portaudio(name: str, *rest: Any, **more: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real_import(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_portaudio)
    with pytest.raises(SourceError, match="libportaudio2"):
        open_source("mic", live=True)
    assert not portaudio.has_microphone()


class Device:
    """Blocks of 480 samples at 48 kHz, with invented arrival times, judged by a watchdog."""

    def __init__(self) -> None:
        self.watchdog = Watchdog(48000, 0.0)
        self.received = self.silent = 0
        self.now_s = 0.0

    def bring(self, samples: int = 480) -> None:
        admission = self.watchdog.admit(samples, self.now_s)
        self.silent += admission.silent_samples
        self.received += samples if admission.admitted else 0

    def play(self, seconds: float, pace: float = 1.0) -> None:
        """Bring `seconds` of sound, `pace` times faster than it sounds."""
        for _ in range(round(seconds * 100)):
            self.now_s += 0.01 / pace
            self.bring()
            self.silent += self.watchdog.silence(self.now_s)

    def stall(self, seconds: float) -> None:
        for _ in range(round(seconds * 100)):
            self.now_s += 0.01
            self.silent += self.watchdog.silence(self.now_s)


def test_steady_sound_is_all_received() -> None:
    device = Device()
    device.play(5.0)
    assert (device.received, device.silent) == (240000, 0)


def test_a_short_pause_and_its_burst_lose_nothing() -> None:
    device = Device()
    device.play(1.0)
    device.stall(STALL_S * 0.9)
    device.play(STALL_S * 0.9, pace=10.0)
    device.play(1.0)
    assert device.silent == 0
    assert device.received == round(48000 * (2.0 + STALL_S * 0.9))


def test_a_stall_becomes_silence_and_its_backlog_is_dropped() -> None:
    device = Device()
    device.play(1.0)
    device.stall(3.0)
    assert device.watchdog.stalled
    assert device.silent == pytest.approx(3 * 48000, abs=500)
    device.play(3.0, pace=4.0)
    device.play(2.0)
    assert not device.watchdog.stalled
    assert device.received + device.silent == pytest.approx(device.now_s * 48000, abs=1000)
    assert device.watchdog.stale_samples == pytest.approx(3 * 48000, rel=0.1)


def test_after_a_stall_without_backlog_sound_is_back_in_a_moment() -> None:
    device = Device()
    device.play(1.0)
    device.stall(30.0)
    device.play(1.0)
    assert device.received > 1.85 * 48000
    assert device.received + device.silent == pytest.approx(device.now_s * 48000, abs=1000)


def test_a_stall_of_the_whole_process_is_noticed_by_its_gap() -> None:
    """The whole process was stopped: no blocks for three seconds, then all at once."""
    device = Device()
    device.play(1.0)
    device.now_s += 3.0
    device.play(3.0, pace=100.0)
    device.play(1.0)
    assert device.received + device.silent == pytest.approx(device.now_s * 48000, abs=1000)


def test_until_a_device_starts_there_is_silence_from_the_first_moment() -> None:
    device = Device()
    device.stall(0.5)
    assert device.silent == pytest.approx(24000, abs=1)
    assert not device.watchdog.stalled
    device.play(1.0)
    assert device.received == 48000
    device = Device()
    device.stall(10.0)
    assert device.silent == pytest.approx(480000, abs=1)
    assert device.watchdog.stalled
