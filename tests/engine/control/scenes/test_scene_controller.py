"""Scenes saved and recalled by events, in a show with a model switcher."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from engine.audio.features.audio_features import SILENCE, AudioFeatures
from engine.control.modulation.modulator import Modulator
from engine.control.parameter import Value
from engine.control.scenes.playlist_file import Order, write_order
from engine.control.scenes.scene_controller import MOST_WAITING, SceneController
from engine.control.scenes.scene_files import Scene, Scenes
from engine.model.backend import LazyState
from tests.engine.model.probe_model import CARD
from tests.engine.model.switchers import OPEN_WITHIN_S, Stage, window, write_wide

NO_FEATURES = np.zeros(0, np.float32)


class Show(Stage):
    """A stage with a scene controller, played as the step loop does."""

    def __init__(self, model: Path, folder: Path, live: bool = True, **values: object) -> None:
        super().__init__(model, live, **values)
        self.modulator = Modulator(self.store.parameters.values())
        self.adopters.append(self.modulator.replace_parameters)
        self.scenes = Scenes(folder)
        self.scene_controller = SceneController(
            self.scenes, self.switcher, self.store, glide=self.modulator.glide, live=live, notify=self.tell
        )
        self.recalled: list[str] = []
        self.values: list[dict[str, Value]] = []
        self.given: list[dict[str, Value]] = []
        self.show_events: list[tuple] = []
        self.frames: list[np.ndarray] = []

    def tell(self, line: str) -> None:
        """Keep notices of success apart from all others."""
        (self.recalled if line.endswith(" is recalled.") else self.told).append(line)

    def play_on(self, hops: int) -> None:
        """Play `hops` hops, and wait after each for files and models that load in the background."""
        for index in range(len(self.values), len(self.values) + hops):
            snapshot = self.store.take_snapshot(index)
            values = self.modulator.values(snapshot.values, SILENCE, NO_FEATURES, index * CARD.hop_s)
            self.frames.append(self.switcher.step(window(index), values, index).pixels_HWC)
            self.show_events.append(self.scene_controller.show_events())
            self.scene_controller.attend(snapshot, index * CARD.hop_s)
            self.values.append(dict(values))
            self.given.append(dict(snapshot.values))
            assert self.scene_controller.wait(OPEN_WITHIN_S)
            assert self.switcher.wait_until_open(OPEN_WITHIN_S)


@pytest.fixture
def show(probe_file: Path, tmp_path: Path) -> Show:
    return Show(probe_file, tmp_path / "scenes", gain=2.0, glow=0.5)


def test_a_scene_brings_back_parameters_and_state(show: Show) -> None:
    show.store.set("crossfade_s", 0.0)
    show.play_on(3)
    show.store.set("save_scene", 3)
    show.play_on(2)
    saved = show.scenes.load(3).scene
    assert saved.state is not None
    assert (saved.model_sha256, saved.name) == (CARD.graph_sha256, "probe 3")
    show.store.set("glow", 0.0)
    show.store.set("gain", 0.0)
    show.play_on(8)
    assert show.switcher.snapshot_state()["memory"][0] < 0.01
    show.store.set("scene", 3)
    show.play_on(1)
    assert show.switcher.snapshot_state()["memory"][0] < 0.01
    while show.values[-1]["glow"] == 0.0:
        assert len(show.values) < 20
        show.play_on(1)
    assert (show.values[-1]["glow"], show.values[-1]["gain"]) == (0.5, 2.0)
    assert show.switcher.snapshot_state()["memory"][0] > saved.state["memory"][0] / 2
    assert [line.split(" in ")[0] for line in show.told] == ["Scene 3 is saved"]
    assert show.recalled == ["Scene 3 'probe 3' is recalled."]
    assert show.scene_controller.name == "3 probe 3"


def test_parameters_glide_to_a_scene(show: Show) -> None:
    show.scenes.save(Scene(number=2, values={"glow": 1.0, "mirror": True}))
    show.play_on(2)
    show.store.set("scene", 2)
    show.play_on(12)
    glow = [values["glow"] for values in show.values]
    assert sorted(glow) == glow
    assert 0.5 < glow[5] < 1.0
    assert glow[-1] == 1.0
    assert [values["mirror"] for values in show.values].index(True) <= 5


def test_what_belongs_to_the_venue_is_not_saved(show: Show) -> None:
    show.store.set("flash_guard", False)
    show.store.set("record", True)
    show.store.set("save_scene", 1)
    show.play_on(2)
    saved = show.scenes.load(1).scene.values
    assert {"flash_guard", "record", "freeze", "reset", "scene"}.isdisjoint(saved)
    assert {"glow", "zoom", "gain", "seed"} <= saved.keys()


def test_a_scene_of_another_model_swaps_it_and_brings_its_state(show: Show, tmp_path: Path) -> None:
    wide = write_wide(tmp_path)
    card = show.open(wide).card
    state = {"memory": np.full(1, 5.0, np.float32)}
    show.scenes.save(
        Scene(number=4, model=wide, model_sha256=card.graph_sha256, values={"strength": 0.0, "zoom": 2.0}, state=state)
    )
    show.play_on(2)
    show.store.set("scene", 4)
    while show.switcher.playing.name == "probe":
        assert len(show.values) < 10
        show.play_on(1)
    assert show.given[-1]["strength"] == 0.0
    assert show.switcher.snapshot_state()["memory"][0] == pytest.approx(2.5)
    show.play_on(6)
    assert show.values[-1]["zoom"] == 2.0
    assert show.told == []


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda scenes, folder: None, "There is no scene 5"),
        (
            lambda scenes, folder: scenes.save(
                Scene(number=5, model=str(folder / "gone.onnx"), model_sha256="00" * 32, values={"glow": 1.0})
            ),
            "Scene 5 names a model that cannot be played: There is no model file",
        ),
        (
            lambda scenes, folder: scenes.save(Scene(number=5, model=str(folder / "bad.onnx"), values={"glow": 1.0})),
            "Scene 5 names a model that cannot be played",
        ),
        (lambda scenes, folder: scenes.path(5).write_text("{"), "Scene 5 is damaged"),
    ],
)
def test_a_scene_that_cannot_be_recalled_changes_nothing(show: Show, tmp_path: Path, make, sentence: str) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    show.scenes.folder.mkdir()
    make(show.scenes, tmp_path)
    before = dict(show.store.values())
    show.store.set("scene", 5)
    show.play_on(5)
    assert len(show.told) == 1
    assert show.told[0].startswith(sentence)
    assert dict(show.store.values()) == before
    assert show.switcher.playing.name == "probe"


def test_a_model_that_is_damaged_inside_leaves_parameters_as_they_are(show: Show, tmp_path: Path) -> None:
    damaged = Path(write_wide(tmp_path))
    content = bytearray(damaged.read_bytes())
    content[len(content) // 4] ^= 0xFF
    damaged.write_bytes(content)
    show.scenes.save(Scene(number=5, model=str(damaged), values={"glow": 1.0}))
    show.store.set("scene", 5)
    show.play_on(5)
    assert len(show.told) == 1
    assert show.told[0].endswith("probe keeps playing.")
    assert show.store.values()["glow"] == 0.5


def test_names_and_kinds_that_are_unknown_are_told_and_the_rest_is_set(show: Show) -> None:
    show.scenes.save(
        Scene(number=1, values={"glwo": 1.0, "mirror": "perhaps", "zoom": 99.0, "reset": 1, "scene": 2, "glow": 0.25})
    )
    show.store.set("scene", 1)
    show.play_on(4)
    assert len(show.told) == 1
    for piece in ("Did you mean 'glow'", "mirror takes on or off", "reset has no value", "scene has no value"):
        assert piece in show.told[0]
    assert (show.store.values()["zoom"], show.store.values()["glow"], show.store.values()["reset"]) == (4.0, 0.25, 0)


def test_a_scene_saved_with_another_training_of_the_model_brings_its_parameters_alone(
    show: Show, probe_file: Path
) -> None:
    state = {"memory": np.full(1, 9.0, np.float32)}
    show.scenes.save(Scene(number=1, model=str(probe_file), model_sha256="22" * 32, values={"glow": 1.0}, state=state))
    show.play_on(2)
    show.store.set("scene", 1)
    show.play_on(6)
    assert "its parameters are recalled and its state is not" in show.told[0]
    assert show.values[-1]["glow"] == 1.0
    assert show.switcher.snapshot_state()["memory"][0] < 4.0


def test_a_scene_saved_and_recalled_in_one_hop_is_found(show: Show) -> None:
    show.store.set("save_scene", 9)
    show.store.set("scene", 9)
    show.play_on(5)
    assert len(show.told) == 1
    assert show.scene_controller.number == 9


def test_the_last_recall_counts_while_a_model_is_still_being_loaded(show: Show, tmp_path: Path, probe_file) -> None:
    show.scenes.save(Scene(number=1, model=write_wide(tmp_path), values={}))
    show.scenes.save(Scene(number=2, model=str(probe_file), model_sha256=CARD.graph_sha256, values={"glow": 0.9}))
    show.store.set("scene", 1)
    show.store.set("scene", 2)
    show.play_on(12)
    assert show.switcher.playing.name == "probe"
    assert "gain" in show.store.values()
    assert show.values[-1]["glow"] == 0.9


def test_the_next_scene_is_the_next_one_that_there_is(show: Show) -> None:
    show.scene_controller.recall_next()
    show.play_on(2)
    assert show.told == ["There is no scene yet; save one first."]
    for number in (4, 7):
        show.scenes.save(Scene(number=number, values={"glow": 0.1}))
    numbers = []
    for _ in range(3):
        show.scene_controller.recall_next()
        show.play_on(3)
        numbers.append(show.scene_controller.number)
    assert numbers == [4, 7, 4]


def test_the_next_scene_follows_the_order_that_was_chosen(show: Show) -> None:
    for number in (1, 2, 3, 4):
        show.scenes.save(Scene(number=number, values={"glow": 0.1}))
    write_order(show.scenes.folder, Order(numbers=(3, 1)))
    numbers = []
    for steps in (1, 1, 1, 2):
        show.scene_controller.recall_next(steps)
        show.play_on(3)
        numbers.append(show.scene_controller.number)
    assert numbers == [3, 1, 2, 3]


def test_a_scene_that_cannot_be_recalled_is_passed_by_the_next(show: Show) -> None:
    for number, model in ((1, ""), (2, "absent.onnx"), (3, "")):
        show.scenes.save(Scene(number=number, model=model, values={"glow": 0.1 * number}))
    for _ in range(3):
        show.scene_controller.recall_next()
        show.play_on(3)
    assert show.scene_controller.number == 3
    assert len(show.told) == 1


def test_a_flood_of_events_leaves_neither_threads_nor_memory_behind(show: Show, tmp_path: Path) -> None:
    show.scenes.save(Scene(number=1, model=write_wide(tmp_path), values={}))
    show.scenes.save(Scene(number=2, values={"glow": 0.9}))
    most = 0
    for index in range(200):
        for event in ("scene", "save_scene", "scene"):
            for number in range(1, 20):
                show.store.set(event, number)
        snapshot = show.store.take_snapshot(index)
        show.switcher.step(window(index), snapshot.values, index)
        show.scene_controller.attend(snapshot, index * CARD.hop_s)
        most = max(most, show.scene_controller.waiting)
        assert sum(thread.name.startswith(("opening", "saving", "recalling")) for thread in threading.enumerate()) <= 2
    assert most <= MOST_WAITING + 1
    assert any("others wait for the disk" in line for line in show.told)


def test_saves_are_finished_when_the_show_closes(show: Show) -> None:
    show.store.set("save_scene", 1)
    show.store.set("save_scene", 2)
    show.scene_controller.attend(show.store.take_snapshot(0), 0.0)
    show.scene_controller.close()
    assert show.scenes.numbers() == (1, 2)


def test_a_name_that_is_no_text_is_told(show: Show) -> None:
    show.scenes.folder.mkdir()
    show.scenes.path(4).write_text("values: {on: 1, glow: 0.25}\n")
    show.store.set("scene", 4)
    show.play_on(3)
    assert show.told == ["Scene 4 is recalled, except for this: There is no parameter 'True'."]
    assert show.store.values()["glow"] == 0.25


def test_a_state_that_cannot_be_had_costs_a_sentence(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lost(LazyState):
        on_device = True

        def __getitem__(self, name):
            raise RuntimeError("the device is gone")

        def __iter__(self):
            return iter(["memory"])

        def __len__(self):
            return 1

    backend = show.switcher.backend
    step = backend.step
    monkeypatch.setattr(backend, "step", lambda inputs: step(inputs)._replace(next_state=Lost()))
    show.play_on(1)
    show.store.set("save_scene", 1)
    show.scene_controller.attend(show.store.take_snapshot(1), 0.0)
    assert show.told == ["The state of probe cannot be fetched (the device is gone). No scene is saved."]
    assert show.scenes.numbers() == ()


def test_a_show_with_scenes_is_replayed_bit_exact(show: Show, probe_file: Path, tmp_path: Path) -> None:
    wide = write_wide(tmp_path)
    show.store.set("smoothing_ms", 80.0)
    show.play_on(3)
    show.store.set("save_scene", 1)
    show.play_on(3)
    show.scenes.save(Scene(number=2, model=wide, values={"strength": 1.0, "zoom": 3.0, "brightness": 0.5}))
    for number in (2, 1, 1):
        show.store.set("gain" if "gain" in show.store.values() else "strength", 1.7)
        show.store.set("scene", number)
        show.play_on(9)
    kinds = [event["kind"] for events in show.show_events for event in events]
    assert kinds == ["glide", "model", "glide", "model", "glide", "state"]
    again = Show(probe_file, tmp_path / "nothing", live=False)
    for index, events in enumerate(show.show_events):
        for event in events:
            again.scene_controller.repeat(event)
        values = again.modulator.values(show.given[index], SILENCE, NO_FEATURES, index * CARD.hop_s)
        assert values == show.values[index]
        assert np.array_equal(again.switcher.step(window(index), values, index).pixels_HWC, show.frames[index]), index


def test_a_scene_waits_for_the_bar_and_the_last_one_recalled_counts(show: Show) -> None:
    for number in (2, 3):
        show.scenes.save(Scene(number=number, values={"zoom": float(number)}))
    show.store.set("quantise", "bar")
    show.store.set("crossfade_s", 0.0)
    zoom = []
    for index in range(12):
        for number, asked_at in ((2, 1), (3, 3)):
            if index == asked_at:
                show.store.set("scene", number)
        snapshot = show.store.take_snapshot(index)
        zoom.append(snapshot.values["zoom"])
        next_features = AudioFeatures(beats=0.5 * (index + 1), tempo_bpm=120.0)
        show.scene_controller.attend(snapshot, index * CARD.hop_s, next_features)
        assert show.scene_controller.wait(OPEN_WITHIN_S)
    # The hop that ends at beat 4 is the first to have the values.
    assert zoom == [1.0] * 8 + [3.0] * 4
    assert show.recalled == ["Scene 3 is recalled."]
