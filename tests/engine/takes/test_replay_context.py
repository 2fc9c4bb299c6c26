"""Takes of shows that look at a context: wherever a take begins, its models look at the same pixels again, or the replay says why not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.app import openers
from engine.app.config import LiveConfig
from engine.app.replay_show import build_replay
from engine.control.parameter_table import parameters_for
from engine.control.scenes.scene_files import Scene, Scenes
from engine.core.errors import ConfigError, MediaError
from engine.core.fit import fit_inside
from engine.core.notices import Notices
from engine.model.backends.onnx_cpu import open_model
from engine.model.context.opening import ShowContext
from engine.output.frame import Frame
from engine.render.play import play
from engine.render.runtime import Runtime
from engine.render.statistics import ShowStatistics
from engine.takes.replay import ReplayedControls, TakeSource, read_take
from engine.takes.take_log import LOG
from tests.engine.app.shows import CollectingSink
from tests.engine.model.context.test_context_frames import write_clip
from tests.engine.model.probe_model import CARD, HEIGHT, WIDTH, write_looking_probe
from tests.engine.takes.test_take_switch import Done, Stage, assert_same

RATE_HZ = 16000


def write_noise(path: Path, seed: int = 3) -> Path:
    """Write a still whose pixels at one size say nothing of those at another."""
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (60, 80, 3), np.uint8))
    return path


def stage_of(folder: Path, context: Path) -> Stage:
    """Return a show that begins with a model that looks at something; scene 1 brings one of another size, scene 2 one that looks at none."""
    stage = Stage(folder, RATE_HZ, 4.0, context=str(context))
    plain, stage.model = stage.model, write_looking_probe(folder / "looking.onnx")
    stage.config = replace(stage.config, model=str(stage.model))
    scenes = Scenes(folder / "scenes")
    scenes.save(Scene(number=1, model=str(write_looking_probe(folder / "large.onnx", 48, 36))))
    scenes.save(Scene(number=2, model=str(plain)))
    return stage


def replay(stage: Stage, context: str | None = None) -> list[Frame]:
    take = read_take(stage.takes()[0])
    source, again = TakeSource(take), CollectingSink()
    store = ReplayedControls(take, source, parameters_for(CARD))
    backend = open_model(take.model, 1)
    given = openers.open_replayed_context(
        LiveConfig(context=context), take, backend.card, "again.mp4", stage.told.append
    )
    runtime = Runtime(clock=stage.clock, statistics=ShowStatistics(), notices=Notices(stage.told.append), live=False)
    built = build_replay(take, source, backend, store, runtime, lambda parts: ([again], []), context=given)
    play(built.show, threading.Event())
    return again.frames


def first_hop(stage: Stage) -> int:
    return next(hop for hop, is_recording in sorted(stage.recording.items()) if is_recording)


SECOND_MODEL: Done = {
    8: [("crossfade_s", 0.2), ("scene", 1)],
    40: [("record_take", True)],
    65: [("record_take", False)],
}
NONE_AT_FIRST: Done = {8: [("crossfade_s", 0.2), ("scene", 2)], 40: [("record_take", True)], 50: [("scene", 1)]}


@pytest.mark.parametrize(
    "done", [SECOND_MODEL, NONE_AT_FIRST], ids=["after a change", "from a model that looks at none"]
)
@pytest.mark.parametrize(
    "write",
    [
        lambda folder: write_noise(folder / "photo.png"),
        lambda folder: write_clip(folder / "clip.mp4", [40, 90, 200, 150, 250]),
    ],
    ids=["still", "clip"],
)
def test_a_take_begun_within_a_show_is_replayed_with_its_context(
    tmp_path: Path, write: Callable[[Path], Path], done: Done
) -> None:
    stage = stage_of(tmp_path, write(tmp_path))
    shown = stage.play(done)
    # The show's frames are those of its second model in the size of its first one.
    again = [replace(frame, pixels_HWC=fit_inside(frame.pixels_HWC, WIDTH, HEIGHT)) for frame in replay(stage)]
    assert_same(shown, again, first_hop(stage))
    assert not any("differ" in line for line in stage.told)


@pytest.fixture
def recorded(tmp_path: Path) -> Stage:
    stage = stage_of(tmp_path, write_noise(tmp_path / "photo.png"))
    stage.play({4: [("record_take", True)], 20: [("record_take", False)]})
    stage.told.clear()
    return stage


def difference(stage: Stage) -> str:
    (line,) = (line for line in stage.told if "differ" in line)
    return line


def test_a_context_that_has_changed_is_told(recorded: Stage) -> None:
    write_noise(recorded.folder / "photo.png", seed=4)
    replay(recorded)
    assert "photo.png' has changed since the show looked at it; frames differ from the show's." in difference(recorded)


def test_another_context_is_told_and_the_same_file_elsewhere_is_not(recorded: Stage) -> None:
    other = write_noise(recorded.folder / "other.png", seed=4)
    replay(recorded, str(other))
    assert difference(recorded).endswith(f"and the replay looks at {str(other)!r}; frames differ from the show's.")
    recorded.told.clear()
    (recorded.folder / "photo.png").rename(recorded.folder / "moved.png")
    replay(recorded, str(recorded.folder / "moved.png"))
    assert not any("differ" in line for line in recorded.told)


def test_a_context_that_was_moved_has_a_way_out(recorded: Stage) -> None:
    (recorded.folder / "photo.png").unlink()
    with pytest.raises(MediaError, match="there is no such file; if the file was moved, name it with --context"):
        replay(recorded)


def test_a_context_that_was_named_and_is_not_there_has_another_way_out(recorded: Stage) -> None:
    with pytest.raises(MediaError, match="there is no such file; give the path of a still or a clip"):
        replay(recorded, str(recorded.folder / "absent.png"))


def test_a_replay_does_not_overwrite_what_its_show_looked_at(recorded: Stage) -> None:
    take, photo = read_take(recorded.takes()[0]), str(recorded.folder / "photo.png")
    with pytest.raises(ConfigError, match=r"photo\.png', which would be overwritten; give another output"):
        openers.open_replayed_context(LiveConfig(), take, CARD, photo, recorded.told.append)


def change_header(stage: Stage, old: str, new: str) -> None:
    log = stage.takes()[0] / LOG
    text = log.read_text()
    assert old in text
    log.write_text(text.replace(old, new, 1))


def test_a_camera_was_not_recorded(recorded: Stage) -> None:
    photo = recorded.folder / "photo.png"
    change_header(recorded, f'"context":"{photo}"', '"context":"camera:0"')
    change_header(recorded, ShowContext(str(photo)).sha256, "")
    with pytest.raises(
        ConfigError, match=r"context is 'camera:0', and a camera shows the present alone.*with --context"
    ):
        replay(recorded)
    recorded.told.clear()
    replay(recorded, str(photo))
    assert difference(recorded).startswith("The show looked at 'camera:0', and the replay looks at ")


@pytest.mark.parametrize("wrong", ["5", "[1]", "{}", "true"])
def test_a_context_that_is_no_text_damages_the_header(recorded: Stage, wrong: str) -> None:
    change_header(recorded, f'"context":"{recorded.folder / "photo.png"}"', f'"context":{wrong}')
    with pytest.raises(ConfigError, match=r"damaged header: 'settings\.context' is .*; a text was expected\."):
        read_take(recorded.takes()[0])


def test_a_given_context_is_refused_where_neither_show_nor_model_has_one(recorded: Stage) -> None:
    take, told = read_take(recorded.takes()[0]), list[str]()
    photo = str(recorded.folder / "photo.png")
    before = replace(take, header=replace(take.header, settings={**take.header.settings, "context": None}))
    with pytest.raises(ConfigError, match="the model 'probe' looks at none"):
        openers.open_replayed_context(LiveConfig(context=photo), before, CARD, "again.mp4", told.append)
    openers.open_replayed_context(LiveConfig(context=photo), take, CARD, "again.mp4", told.append)
    assert told == []
