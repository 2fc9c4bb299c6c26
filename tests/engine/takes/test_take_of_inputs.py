"""A show of several named inputs, its take, and the replay of it."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.app.replay_show import build_replay
from engine.app.show_builder import build_from_source
from engine.audio.sources.inputs import open_inputs
from engine.audio.sources.samples import SampleSource
from engine.audio.sources.spec import SourceSpec
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.model.backends.onnx_cpu import open_model
from engine.render.play import play
from engine.takes.replay import ReplayedControls, TakeSource, read_take
from engine.takes.take_sound import SoundFile, read_sound
from tests.engine.app.shows import CollectingSink, InventedClock, varied_sound
from tests.engine.model.probe_model import CARD
from tests.engine.takes.test_replay_assembled import configuration, runtime

RATE_HZ = 48000
MAPPINGS = {"glow": "drums.onset", "zoom": "1 + voice.level", "trail": "all.high"}


def open_one(spec: SourceSpec) -> SampleSource:
    """Open an invented interface of eight channels."""
    sound_TC = varied_sound(2.0, RATE_HZ, 8)[:, [channel - 1 for channel in spec.channels]]
    return SampleSource("mic: mixer", sound_TC, RATE_HZ)


@pytest.mark.parametrize("model_input", [None, "voice", "mix"])
def test_a_replay_has_the_same_frames_features_and_film_sound(
    tmp_path: Path, probe_file: Path, model_input: str | None
) -> None:
    texts = ["drums=mic:mixer@1,2", "voice=mic:mixer@5", "all=mic:mixer@1-8"]
    source, layout = open_inputs(texts, model_input, open_one)
    clock, shown, told = InventedClock(), CollectingSink(), list[str]()
    config = replace(configuration(tmp_path, probe_file), mappings=MAPPINGS)
    with ExitStack() as releasing:
        store = ParameterStore(parameters_for(CARD))
        built = build_from_source(
            config,
            open_model(probe_file, 1),
            source,
            store,
            runtime(clock, False, told),
            lambda parts: ([shown], []),
            releasing,
            layout,
        )
        play(built.show, threading.Event())

    take = read_take(tmp_path / "take")
    assert take.header.layout == layout
    assert take.header.source_channels == 8
    recorded_TC = np.concatenate(list(read_sound(tmp_path / "take" / "sound.caf", RATE_HZ, 8)))
    assert np.array_equal(recorded_TC, varied_sound(2.0, RATE_HZ, 8)[: len(recorded_TC)])

    again_source, again = TakeSource(take), CollectingSink()
    again_store = ReplayedControls(take, again_source, parameters_for(CARD))
    replay = build_replay(
        take,
        again_source,
        open_model(take.model, 1),
        again_store,
        runtime(clock, False, told),
        lambda parts: ([again], []),
    )
    play(replay.show, threading.Event())
    assert len(again.frames) == len(shown.frames) == 40
    assert any(frame.audio_features.inputs["drums"].onsets for frame in shown.frames)
    assert len({frame.values["glow"] for frame in shown.frames}) > 5
    for old, new in zip(shown.frames, again.frames, strict=True):
        assert old.values == new.values, old.index
        assert old.audio_features == new.audio_features
        assert np.array_equal(old.pixels_HWC, new.pixels_HWC), old.index
        assert old.sound_TC.shape[1] == 2
        assert np.array_equal(old.sound_TC, new.sound_TC)


@pytest.mark.parametrize("channels", [3, 8, 9, 24, 64])
def test_sound_of_many_channels_is_kept_bit_exact(tmp_path: Path, channels: int) -> None:
    sound_TC = varied_sound(0.3, RATE_HZ, channels)
    file = SoundFile(tmp_path / "sound.caf", RATE_HZ, channels)
    for block_TC in np.array_split(sound_TC, 7):
        file.write(block_TC)
    file.close()
    assert np.array_equal(np.concatenate(list(read_sound(tmp_path / "sound.caf", RATE_HZ, channels))), sound_TC)
