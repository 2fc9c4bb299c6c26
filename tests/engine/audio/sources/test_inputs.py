"""Several inputs as one source: their names, their columns, and sounds that end, break or come from other clocks."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.input_layout import MOST_INPUTS, SoundInput
from engine.audio.source import Source
from engine.audio.sources.input_specs import input_names, parse_inputs
from engine.audio.sources.inputs import open_inputs
from engine.audio.sources.paced import PacedSource
from engine.audio.sources.registry import open_source
from engine.audio.sources.samples import SampleSource
from engine.audio.sources.spec import SourceSpec
from engine.core.errors import ConfigError, MediaError, SourceError
from tests.engine.app.shows import InventedClock, varied_sound
from tests.processes import write_sound

RATE_HZ = 48000
CLOSES_WITHIN_S = 10.0
offline = partial(open_source, live=False)


def everything(source: Source) -> tuple[NDArray[np.float32], list[str]]:
    """Read a source to its end; return its sound and its notices."""
    source.start()
    blocks, told = [], []
    while (block := source.read()) is not None:
        blocks.append(block[0])
        told += source.notices()
    return np.concatenate(blocks), [*told, *source.notices()]


def write_tones(path: Path, seconds: float, rate_hz: int, *tones_hz: float) -> Path:
    """Write a sound file with one tone a channel."""
    time_T = np.arange(round(seconds * rate_hz)) / rate_hz
    sound_TC = np.stack([0.5 * np.sin(2 * np.pi * hz * time_T) for hz in tones_hz], axis=1)
    with av.open(str(path), "w") as container:
        layout = {1: "mono", 2: "stereo"}[len(tones_hz)]
        stream = container.add_stream("pcm_s16le", rate=rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.round(32767 * sound_TC).astype(np.int16).reshape(1, -1), "s16", layout)
        frame.sample_rate = rate_hz
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def loudest_hz(sound_T: NDArray[np.float32], rate_hz: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(sound_T)))) * rate_hz / len(sound_T)


class Devices:
    """Opens invented devices of eight channels, whose sample n is n in the first channel, 1000 + n in the second..."""

    def __init__(self) -> None:
        self.opened: list[SourceSpec] = []

    def __call__(self, spec: SourceSpec) -> Source:
        self.opened.append(spec)
        channels = spec.channels or (1, 2)
        sound_TC = np.arange(100.0)[:, None] + 1000 * (np.array(channels) - 1)
        return SampleSource(f"mic: {spec.detail}", sound_TC.astype(np.float32), RATE_HZ)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["a=demo", "a=tone"], "Two inputs are called 'a'"),
        (["a=demo", "tone"], "The input 'tone' has no name"),
        (["demo", "tone"], "write e.g. drums=demo"),
        (["mix=demo"], "cannot be called 'mix'"),
        (["zoom=demo", "b=tone"], "cannot be called 'zoom'"),
        ([f"n{i}=demo" for i in range(MOST_INPUTS + 1)], f"9 inputs were given; a show has at most {MOST_INPUTS}"),
    ],
)
def test_inputs_that_cannot_be_are_refused_in_one_sentence(texts: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        parse_inputs(texts, {"zoom"})


def test_one_source_needs_no_name() -> None:
    assert input_names(parse_inputs(["demo"])) == ()
    assert parse_inputs([]) == ()
    assert input_names(parse_inputs([f"n{i}=demo" for i in range(MOST_INPUTS)])) == tuple(
        f"n{i}" for i in range(MOST_INPUTS)
    )


def test_one_source_without_a_name_is_played_as_it_is() -> None:
    source = SampleSource("song", varied_sound(0.1, RATE_HZ), RATE_HZ)
    opened = open_inputs(["demo"], None, lambda spec: source)
    assert opened.source is source
    assert opened.layout.inputs == ()


def test_a_device_that_is_named_several_times_is_opened_once() -> None:
    devices = Devices()
    source, layout = open_inputs(["drums=mic:mixer@1,2", "voice=mic:Mixer@5", "all=mic:mixer@5,1"], None, devices)
    assert [(spec.channels, spec.name) for spec in devices.opened] == [((1, 2, 5), None)]
    assert layout.inputs == (SoundInput("drums", (0, 1)), SoundInput("voice", (2,)), SoundInput("all", (2, 0)))
    assert layout.model_input == "drums"
    assert source.channels == 3
    sound_TC, told = everything(source)
    assert sound_TC[7].tolist() == [7, 1007, 4007]
    assert told == []


def test_a_device_without_a_choice_of_channels_shares_it_with_one_that_has() -> None:
    devices = Devices()
    source, layout = open_inputs(["room=mic:mixer", "voice=mic:mixer@5"], "mix", devices)
    assert devices.opened[-1].channels == (1, 2, 5)
    assert layout.inputs == (SoundInput("room", (0, 1)), SoundInput("voice", (2,)))
    assert layout.model_input == "mix"
    assert source.channels == 3


def test_sounds_of_the_engine_give_single_channels() -> None:
    source, layout = open_inputs(["left=demo@1", "right=demo@2", "both=demo"], None, offline)
    assert source.channels == 2
    assert [one.columns for one in layout.inputs] == [(0,), (1,), (0, 1)]
    with pytest.raises(MediaError, match="has no channel 3"):
        open_inputs(["left=demo@3"], None, offline)


def test_files_of_other_rates_run_in_step_to_the_end_of_the_first(tmp_path: Path) -> None:
    drums = write_tones(tmp_path / "drums.wav", 1.0, 48000, 100.0, 200.0)
    voice = write_tones(tmp_path / "voice.wav", 1.5, 44100, 300.0)
    short = write_tones(tmp_path / "short.wav", 0.5, 48000, 400.0)
    source, layout = open_inputs([f"drums={drums}", f"voice={voice}", f"short={short}"], None, offline)
    assert (source.rate_hz, source.channels, source.live) == (48000, 4, False)
    assert [one.columns for one in layout.inputs] == [(0, 1), (2,), (3,)]
    sound_TC, told = everything(source)
    assert len(sound_TC) == 48000
    assert [loudest_hz(sound_TC[:, c], 48000) for c in range(3)] == pytest.approx([100.0, 200.0, 300.0], abs=1.0)
    # The tones begin together: converted sound is not late.
    time_T = np.arange(4800) / 48000
    assert np.abs(sound_TC[480:4800, 2] - 0.5 * np.sin(2 * np.pi * 300.0 * time_T[480:])).max() < 0.02
    assert np.abs(sound_TC[:24000, 3]).max() > 0.4
    assert not sound_TC[24000:, 3].any()
    assert told == [
        "short.wav has ended; silence takes its place.",
        "The show ends with drums.wav; voice.wav is longer.",
    ]


def test_files_of_one_length_are_told_nothing_about(tmp_path: Path) -> None:
    texts = [f"n{i}={write_sound(tmp_path / f'{i}.wav', 0.7)}" for i in range(3)]
    sound_TC, told = everything(open_inputs(texts, None, offline).source)
    assert told == []
    assert np.array_equal(sound_TC[:, 0], sound_TC[:, 2])


def test_live_files_stay_in_step_to_the_sample(tmp_path: Path) -> None:
    clock = InventedClock()
    texts = [f"n{i}={write_sound(tmp_path / f'{i}.wav', 0.7)}" for i in range(3)]
    source, _ = open_inputs(texts, None, partial(open_source, live=True, clock=clock))
    assert isinstance(source, PacedSource)
    source.start()
    blocks = []
    while (block := source.read()) is not None:
        blocks.append(block[0])
        source.wait(0.1)
    sound_TC = np.concatenate(blocks)
    assert len(sound_TC) == int(0.7 * 44100)
    assert np.array_equal(sound_TC[:, 0], sound_TC[:, 1])
    assert np.array_equal(sound_TC[:, 0], sound_TC[:, 2])


class Torn:
    """A sound file that cannot be read to its end."""

    live, stalled, dropped_samples = False, False, 0
    block_s = buffer_s = 0.0
    name, rate_hz, channels = "torn.wav", RATE_HZ, 1

    def __init__(self) -> None:
        self._blocks = iter([np.full((4800, 1), 0.5, np.float32)])

    def start(self) -> None:
        """Nothing to start."""

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        block_TC = next(self._blocks, None)
        if block_TC is None:
            raise MediaError("torn.wav is torn.")
        return block_TC, None

    def wait(self, timeout_s: float) -> None:
        """Sound is always available."""

    def notices(self) -> list[str]:
        return []

    def close(self) -> None:
        """Nothing to release."""


def test_a_file_beside_the_first_that_fails_is_silence_live_and_an_error_in_a_rendering() -> None:
    clock = InventedClock()

    def opened(live: bool) -> Source:
        def open_one(spec: SourceSpec) -> Source:
            whole = SampleSource("song", np.ones((RATE_HZ, 1), np.float32), RATE_HZ)
            source: Source = whole if spec.detail == "song.wav" else Torn()
            return PacedSource(source, clock) if live else source

        source = open_inputs(["a=song.wav", "b=torn.wav"], None, open_one).source
        source.start()
        return source

    sound_TC, told = run(opened(live=True), 0.9)
    assert (sound_TC[:, 0] == 1.0).all()
    assert sound_TC[1000, 1] == 0.5
    assert not sound_TC[5000:, 1].any()
    assert told[0] == "torn.wav is torn. The show goes on with silence in its place."
    with pytest.raises(MediaError, match="is torn"):
        everything(opened(live=False))


class Device:
    """A live device on an invented clock, `channels` of a constant sound."""

    live, stalled, dropped_samples = True, False, 0
    block_s = buffer_s = 0.0

    def __init__(self, name: str, clock: InventedClock, value: float, rate_hz: int = RATE_HZ) -> None:
        self.name, self.rate_hz, self.channels = name, rate_hz, 1
        self.clock, self.value = clock, value
        self.is_away = self.is_broken = self.is_closed = False
        self.hangs_until: Device | None = None
        self.has_closed = threading.Event()
        self._start_s, self._given = 0.0, 0

    def start(self) -> None:
        self._start_s, self._given = self.clock.now_s(), 0

    def read(self) -> tuple[NDArray[np.float32], float | None]:
        if self.is_broken:
            raise SourceError(f"{self.name} is broken.")
        now_s = self.clock.now_s()
        samples = round((now_s - self._start_s) * self.rate_hz) - self._given
        self._given += samples
        return np.full((0 if self.is_away else samples, 1), self.value, np.float32), now_s

    def wait(self, timeout_s: float) -> None:
        self.clock.sleep(0.005)

    def notices(self) -> list[str]:
        return []

    def close(self) -> None:
        self.is_closed = self.hangs_until is None or self.hangs_until.has_closed.wait(CLOSES_WITHIN_S)
        self.has_closed.set()


def run(source: Source, seconds: float) -> tuple[NDArray[np.float32], list[str]]:
    blocks, told = [], []
    for _ in range(round(seconds / 0.005)):
        source.wait(0.1)
        block = source.read()
        assert block is not None
        blocks.append(block[0])
        told += source.notices()
    return np.concatenate(blocks), told


def live_pair(clock: InventedClock, second_hz: int = RATE_HZ) -> tuple[Device, Device, Source]:
    one, other = Device("mic: one", clock, 0.25), Device("mic: other", clock, 0.75, second_hz)
    devices: dict[str, Source] = {"one": one, "other": other}
    source, _ = open_inputs(["a=mic:one", "b=mic:other"], None, lambda spec: devices[spec.detail])
    source.start()
    return one, other, source


@pytest.mark.parametrize("second_hz", [48000, 44100, 96000])
def test_two_devices_give_one_block(second_hz: int) -> None:
    _, _, source = live_pair(InventedClock(), second_hz)
    sound_TC, told = run(source, 5.0)
    assert len(sound_TC) == pytest.approx(5.0 * RATE_HZ, abs=1)
    assert (sound_TC[:, 0] == 0.25).all()
    assert np.abs(sound_TC[RATE_HZ:, 1] - 0.75).max() < 0.01
    assert told == []


def test_a_second_device_that_gives_nothing_holds_nobody_up_and_is_told() -> None:
    _, other, source = live_pair(InventedClock())
    run(source, 1.0)
    other.is_away = True
    sound_TC, told = run(source, 2.0)
    assert len(sound_TC) == pytest.approx(2.0 * RATE_HZ, abs=1)
    assert (sound_TC[:, 0] == 0.25).all()
    assert not sound_TC[-RATE_HZ:, 1].any()
    assert any("mic: other came late" in line for line in told)
    other.is_away = False
    assert (run(source, 1.0)[0][-1000:, 1] == 0.75).all()


def test_a_second_device_that_fails_for_good_is_silence_and_the_first_one_ends_the_show() -> None:
    one, other, source = live_pair(InventedClock())
    run(source, 1.0)
    other.is_broken = True
    sound_TC, told = run(source, 1.0)
    assert told[0] == "mic: other is broken. The show goes on with silence in its place."
    assert not sound_TC[-1000:, 1].any()
    one.is_broken = True
    with pytest.raises(SourceError, match="mic: one is broken"):
        source.read()


def test_a_device_that_hangs_does_not_hold_up_the_end_of_the_others() -> None:
    one, other, source = live_pair(InventedClock())
    one.hangs_until = other
    source.close()
    assert other.is_closed
    assert one.is_closed


def test_an_input_that_cannot_be_opened_closes_the_others() -> None:
    one = Device("mic: one", InventedClock(), 0.0)

    def open_one(spec: SourceSpec) -> Source:
        if spec.detail == "one":
            return one
        raise SourceError("No such input.")

    with pytest.raises(SourceError, match="No such input"):
        open_inputs(["a=mic:one", "b=mic:two"], None, open_one)
    assert one.is_closed


def test_a_model_input_that_there_is_not_is_refused_before_anything_is_opened() -> None:
    devices = Devices()
    with pytest.raises(
        ConfigError, match=r"model_input is 'drum'; one of drums, mix was expected. Did you mean 'drums'"
    ):
        open_inputs(["drums=mic"], "drum", devices)
    with pytest.raises(ConfigError, match="among inputs with names, and there are none"):
        open_inputs(["mic"], "mix", devices)
    assert devices.opened == []
