"""Replaying a take: whatever happened in the show, and however it ended, the frames are bit-exact."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.audio.source import Source
from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.audio.window_buffer import WindowBuffer
from engine.control.parameter_store import ControlEvent, ParameterStore
from engine.control.parameter_table import parameters_for
from engine.core.errors import BackendError, ConfigError, ModelFileError
from engine.media.cleaning import SoundCleaner
from engine.model.backend import Backend
from engine.model.backends.onnx_cpu import open_model
from engine.model.session import Session
from engine.render.pacing import pick_hop
from engine.takes.former_sound import cleaner_of
from engine.takes.recorder import RecordedSource, TakeRecorder
from engine.takes.replay import ReplayedControls, ReplayedFailures, TakeSource, differences, read_take
from engine.takes.take_log import LOG, SOUND, take_header
from tests.engine.app.shows import InventedClock, varied_sound
from tests.engine.model.probe_model import CARD, write_probe
from tests.engine.model.test_session import FailingBackend

RATE_HZ = 44100
Frames = dict[int, bytes]


def failing_backend(model: Path) -> FailingBackend:
    backend = open_model(model, threads=1)
    return FailingBackend(backend)


class Show:
    """A small step loop: it knows nothing of takes but what it gives them."""

    def __init__(
        self,
        source: Source,
        backend: Backend,
        store,
        pick=pick_hop,
        take: TakeRecorder | None = None,
        cleaner: SoundCleaner | None = None,
    ) -> None:
        self.window_buffer = WindowBuffer(backend.card, source.rate_hz, source.channels, cleaner=cleaner)
        self.source, self.session, self.store, self.pick, self.take = source, Session(backend), store, pick, take
        self.frames: Frames = {}
        self.events: list[tuple[int, ControlEvent]] = []
        self.show_events: list[tuple[int, object]] = []

    @property
    def backend(self) -> FailingBackend:
        return self.session.backend  # type: ignore[return-value]

    def play(self, on_hop: Callable[[int], list] = lambda index: [], until: int = 10**9) -> Frames:
        last, over = -1, False
        self.source.start()
        while last < until:
            pick = self.pick(self.window_buffer.received_samples, CARD.hop_samples, last, self.source.live)
            if pick is None:
                if over:
                    break
                block = self.source.read()
                over = block is None
                if block is None:
                    self.window_buffer.finish()
                elif len(block[0]):
                    self.window_buffer.append(*block)
                else:
                    self.source.wait(0.1)
                continue
            show_events = on_hop(pick.index)
            self.step(pick.index, pick.skipped_hops, show_events)
            last = pick.index
        return self.frames

    def step(self, index: int, skipped_hops: int, show_events: list) -> None:
        snapshot, failed = self.store.take_snapshot(index), False
        try:
            frame = self.session.step(self.window_buffer.window(index), snapshot.values, index)
        except BackendError:
            assert self.source.live or self.store.fails_now
            failed, frame = True, self.session.held(snapshot.values)
        self.events += [(index, event) for event in snapshot.events]
        if self.take:
            self.take.note(index, skipped_hops, snapshot, failed, show_events)
        else:
            show_events = list(self.store.show_events(index))
        self.show_events += [(index, show_event) for show_event in show_events]
        self.frames[index] = frame.pixels_HWC.tobytes()


def live_show(
    folder: Path,
    model: Path,
    seed: int = 0,
    seconds: float = 6.0,
    live: bool = True,
    cleaner: SoundCleaner | None = None,
) -> Show:
    """Return a show with a take, ready to play."""
    clock, song = InventedClock(), SampleSource("song", 1.5 * varied_sound(seconds, RATE_HZ), RATE_HZ)
    source: Source = PacedSource(song, clock) if live else song
    backend = failing_backend(model)
    header = take_header(
        backend, source, model=str(model), date="today", settings={"seed": seed}, mappings={"glow": "onset"}
    )
    take = TakeRecorder(folder, header, live=live, notify=pytest.fail)
    take.open()
    show = Show(RecordedSource(source, take), backend, ParameterStore(parameters_for(CARD)), take=take, cleaner=cleaner)
    show.clock = clock  # type: ignore[attr-defined]
    return show


def stormy(show: Show, seed: int) -> Callable[[int], list]:
    """Return what happens at each hop: parameters, events, overload, failures."""
    rng = random.Random(seed)

    def on_hop(index: int) -> list:
        store, backend = show.store, show.backend
        for name in ("gain", "gain_db", "brightness"):
            if rng.random() < 0.2:
                store.set(name, rng.uniform(-3, 3))
        if rng.random() < 0.1:
            store.set(rng.choice(["reset", "tap"]), True)
        if rng.random() < 0.1:
            store.set("seed", rng.randrange(1000))
        if rng.random() < 0.1:
            store.set("freeze", rng.random() < 0.5)
        if rng.random() < 0.1:
            store.set("scene", rng.randrange(1, 9))
        backend.fails = rng.random() < 0.08
        if rng.random() < 0.15:
            show.clock.sleep(rng.uniform(0.05, 0.4))
        return [state_event(np.float32([rng.random()]))] if rng.random() < 0.05 else []

    return on_hop


def state_event(state_S: np.ndarray) -> dict[str, object]:
    return {"kind": "state", "state": {"memory": state_S}, "fade_hops": 5, "is_held": False}


def replayed(
    folder: Path, model: str | None = None, wrap: Callable[[Backend, ReplayedControls], Backend] = ReplayedFailures
) -> Show:
    take = read_take(folder, model)
    source = TakeSource(take)
    store = ReplayedControls(take, source)
    backend = wrap(open_model(take.model, threads=1), store)
    show = Show(source, backend, store, store.pick, cleaner=cleaner_of(take.header))
    show.play()
    return show


@pytest.mark.parametrize("seed", range(6))
def test_a_stormy_show_is_replayed_bit_exact(tmp_path, probe_file, seed):
    show = live_show(tmp_path / "take", probe_file, seed)
    show.play(stormy(show, seed))
    show.take.close()
    again = replayed(tmp_path / "take")
    assert len(show.frames) < max(show.frames) - 10
    assert again.frames == show.frames
    assert again.events == show.events
    assert show.events
    assert str(again.show_events) == str(show.show_events)
    assert len(set(show.frames.values())) > 10


def test_a_model_that_diverges_does_so_again(tmp_path, probe_file):
    diverges_at = {20, 21, 60}
    show = live_show(tmp_path / "take", probe_file)

    def on_hop(index: int) -> list:
        show.backend.diverges = index in diverges_at
        return []

    show.play(on_hop)
    show.take.close()

    class Diverging(FailingBackend):
        def __init__(self, inner: Backend, store: ReplayedControls) -> None:
            super().__init__(inner)
            self.store = store

        def step(self, inputs):
            self.diverges = self.store.fails_now
            return super().step(inputs)

    def wrap(backend: Backend, store: ReplayedControls) -> Backend:
        return ReplayedFailures(Diverging(backend, store), store)

    assert replayed(tmp_path / "take", wrap=wrap).frames == show.frames


@pytest.mark.parametrize("until", [10**9, 37])
def test_a_rendering_can_be_a_take_too(tmp_path, probe_file, until):
    show = live_show(tmp_path / "take", probe_file, live=False, seconds=2.53)
    show.play(until=until)
    show.take.close()
    take = read_take(tmp_path / "take")
    assert take.ending == "the show is over"
    assert take.hops == (51 if until > 51 else 38)
    assert take.seconds == pytest.approx(take.hops * 0.05)
    assert replayed(tmp_path / "take").frames == show.frames


@pytest.mark.parametrize("share", [0.99, 0.6, 0.4])
@pytest.mark.parametrize("cut", ["log", "sound", "both"])
def test_a_take_that_was_cut_off_is_replayed_to_its_end(tmp_path, probe_file, cut, share):
    show = live_show(tmp_path / "take", probe_file, 1)
    show.play(stormy(show, 1))
    show.take.close()
    for name in {"log": [LOG], "sound": [SOUND], "both": [LOG, SOUND]}[cut]:
        file = tmp_path / "take" / name
        file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    again = replayed(tmp_path / "take")
    # The header takes its part of the log.
    assert len(again.frames) >= (3 if cut != "sound" else (share - 0.15) * len(show.frames))
    assert list(again.frames.items()) == list(show.frames.items())[: len(again.frames)]
    if cut == "sound":
        assert [line for line in again.source.notices() if "before its log; the replay ends there" in line]


def test_missing_and_foreign_parts_are_refused(tmp_path, probe_file):
    show = live_show(tmp_path / "take", probe_file)
    show.play(until=20)
    show.take.close()
    with pytest.raises(ConfigError, match=r"There is no take in .*none: log.jsonl cannot be read"):
        read_take(tmp_path / "none")
    with pytest.raises(ModelFileError, match=r"There is no model file .*name it with --model"):
        read_take(tmp_path / "take", str(tmp_path / "nothing.onnx"))
    assert read_take(tmp_path / "take", str(probe_file)).model == str(probe_file)
    different = write_different(tmp_path / "different.onnx")
    with pytest.raises(
        ModelFileError, match=r"is not the model that played the take .*; if that .*name it with --model"
    ):
        read_take(tmp_path / "take", str(different))
    (tmp_path / "take" / SOUND).unlink()
    with pytest.raises(ConfigError, match=r"The take has no sound: .*sound\.caf is missing"):
        read_take(tmp_path / "take")


def write_different(path: Path) -> Path:
    """Write a probe whose graph is another."""
    card = replace(CARD, width=CARD.width + 2, noises=(replace(CARD.noises[0], shape=(CARD.width + 2,)),))
    return write_probe(path, card)


def test_a_model_that_was_swapped_in_is_checked_too(tmp_path, probe_file):
    show = live_show(tmp_path / "take", probe_file)
    different = write_different(tmp_path / "different.onnx")
    swap = {"kind": "model", "model": str(different), "graph_sha256": "0" * 64, "fade_hops": 0, "is_held": True}
    show.play(lambda index: [swap] if index == 5 else [], until=20)
    show.take.close()
    with pytest.raises(ModelFileError, match=r"different\.onnx is not the model that played .*, put it back"):
        read_take(tmp_path / "take")


def test_what_may_differ_is_told(tmp_path, probe_file):
    show = live_show(tmp_path / "take", probe_file)
    show.play(until=3)
    show.take.close()
    take = read_take(tmp_path / "take")
    assert take.header.mappings == {"glow": "onset"}
    assert take.header.settings == {"seed": 0}
    assert differences(take, show.backend) == []
    older = replace(take, header=replace(take.header, versions={**take.header.versions, "numpy": "1.0"}))
    (line,) = differences(older, show.backend)
    assert line.startswith("Frames may differ from the show's in their last bit: numpy 1.0 then, ")


def test_nobody_changes_a_replay(tmp_path, probe_file):
    show = live_show(tmp_path / "take", probe_file)
    show.store.set("gain", 3.0)
    show.play(until=3)
    show.take.close()
    take = read_take(tmp_path / "take")
    store = ReplayedControls(take, TakeSource(take))
    assert store.take_snapshot(0).values["gain"] == 3.0
    store.set("gain", 1.0)
    store.replace_parameters(())
    assert store.take_snapshot(1).values["gain"] == store.values()["gain"] == 3.0


def test_a_take_of_the_version_before_comes_with_the_names_of_now(tmp_path, probe_file):
    show = live_show(tmp_path / "take", probe_file)
    show.play(lambda index: [] if index != 2 else show.store.set("onset_zoom", 0.5) and [], until=5)
    show.take.close()
    log = tmp_path / "take" / "log.jsonl"
    text = log.read_text()
    assert text.count("onset_") == 6
    log.write_text(text.replace("onset_", "hit_"))
    take = read_take(tmp_path / "take")
    store = ReplayedControls(take, TakeSource(take), parameters_for(CARD))
    snapshots = [store.take_snapshot(index).values for index in range(6)]
    assert [values["onset_zoom"] for values in snapshots] == [0.0] * 2 + [0.5] * 4
    assert not any(name.startswith("hit_") for values in snapshots for name in values)
