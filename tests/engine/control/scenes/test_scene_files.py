"""Scenes as files: what is saved comes back, and damage costs one sentence."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import numpy as np
import pytest
import yaml

from engine.control.scenes.scene_files import Scene, Scenes, number_after
from engine.core.errors import ConfigError
from engine.model.shipped import shipped_models

STATE = {"memory": np.array([0.25, -1e-30], np.float32), "file": np.ones((2, 3), np.float32)}


@pytest.fixture
def scenes(tmp_path: Path) -> Scenes:
    return Scenes(tmp_path / "scenes")


def scene(number: int = 3, **changes: object) -> Scene:
    said: dict[str, object] = {
        "name": "blau öäü",
        "model": "/models/probe.onnx",
        "model_sha256": "ab" * 32,
        "values": {"glow": 0.1 + 0.2, "mirror": True, "seed": 2**31 - 1},
        "state": STATE,
    }
    return Scene(number=number, **{**said, **changes})  # type: ignore[arg-type]


def test_a_saved_scene_comes_back_bit_exact(scenes: Scenes) -> None:
    scenes.save(scene())
    loaded, notices = scenes.load(3)
    assert notices == ()
    assert (loaded.name, loaded.model, loaded.model_sha256) == ("blau öäü", "/models/probe.onnx", "ab" * 32)
    assert dict(loaded.values) == {"glow": 0.1 + 0.2, "mirror": True, "seed": 2**31 - 1}
    assert loaded.state is not None
    assert {name: (v.dtype, v.tobytes()) for name, v in loaded.state.items()} == {
        name: (v.dtype, v.tobytes()) for name, v in STATE.items()
    }


def test_saved_again_without_a_state_it_has_none(scenes: Scenes) -> None:
    scenes.save(scene())
    scenes.save(scene(state=None))
    assert scenes.load(3).scene.state is None
    assert [path.name for path in sorted(scenes.folder.iterdir())] == ["03.yaml"]


def test_the_folder_says_which_scenes_there_are_and_which_follows(scenes: Scenes) -> None:
    assert scenes.numbers() == ()
    assert number_after(scenes.numbers(), 0) is None
    for number in (12, 1, 128):
        scenes.save(scene(number))
    (scenes.folder / "notes.yaml").write_text("x: 1")
    (scenes.folder / "001.yaml").write_text("x: 1")
    assert scenes.numbers() == (1, 12, 128)
    assert [number_after(scenes.numbers(), number) for number in (0, 1, 12, 128)] == [1, 12, 128, 1]


def test_a_folder_with_scenes_and_models_can_be_moved(tmp_path: Path) -> None:
    Scenes(tmp_path / "a" / "scenes").save(scene(model=str(tmp_path / "a" / "models" / "x.onnx")))
    (tmp_path / "a").rename(tmp_path / "b")
    loaded = Scenes(tmp_path / "b" / "scenes").load(3).scene
    assert Path(loaded.model).resolve() == tmp_path / "b" / "models" / "x.onnx"


def test_a_scene_written_by_hand_needs_little(scenes: Scenes) -> None:
    scenes.folder.mkdir()
    scenes.path(7).write_text("values: {glow: 0.5, zoom: 'two'}\n")
    loaded, notices = scenes.load(7)
    assert (loaded.name, loaded.model, dict(loaded.values), loaded.state) == (
        "",
        "",
        {"glow": 0.5, "zoom": "two"},
        None,
    )
    assert notices == ()


def test_a_scene_written_by_hand_may_name_a_shipped_model(scenes: Scenes) -> None:
    scenes.folder.mkdir()
    scenes.path(7).write_text("model: water\n")
    assert scenes.load(7).scene.model == str(shipped_models()["water"])
    # A file beside the scenes comes first, and another name is a file's.
    (scenes.folder / "water").write_bytes(b"mine")
    assert scenes.load(7).scene.model == str(scenes.folder / "water")
    scenes.path(8).write_text("model: watr\n")
    assert scenes.load(8).scene.model == str(scenes.folder / "watr")


def test_a_missing_scene_says_which_there_are(scenes: Scenes) -> None:
    with pytest.raises(ConfigError, match=r"There is no scene 4 in .*; there are none yet\."):
        scenes.load(4)
    scenes.save(scene(2))
    with pytest.raises(ConfigError, match=r"There is no scene 4 in .*; scenes are 2\."):
        scenes.load(4)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a mapping"),
        (b"- 1\n- 2", "is not a mapping"),
        (b"name: [", "not valid YAML"),
        (b"\xff\xfe\x00", "not valid YAML"),
        (b"!!python/object/apply:os.system ['true']", "not valid YAML"),
        (b"x: " + b"[" * 600, "not valid YAML"),
        (b"values: {}\n#" + b"x" * (1 << 17), "larger than the 64 KiB"),
        (b"modle: x.onnx", "Did you mean 'model'"),
        (b"values: [1]", "a mapping of parameters was expected"),
        (b"name: 5", "a text was expected"),
    ],
)
def test_a_damaged_scene_is_refused_in_one_sentence(scenes: Scenes, content: bytes, sentence: str) -> None:
    scenes.folder.mkdir()
    scenes.path(3).write_bytes(content)
    with pytest.raises(ConfigError, match=sentence) as refusal:
        scenes.load(3)
    assert str(refusal.value).startswith("Scene 3 ")
    assert "\n" not in str(refusal.value)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


@pytest.mark.parametrize("harm", [damage, cut, Path.unlink])
def test_a_damaged_state_costs_a_sentence_and_the_rest_is_there(scenes: Scenes, harm) -> None:
    scenes.save(scene())
    harm(scenes.path(3).with_suffix(".npz"))
    loaded, (notice,) = scenes.load(3)
    assert loaded.state is None
    assert loaded.values["mirror"] is True
    assert notice.startswith("Scene 3 comes without its state: ")


def test_the_state_of_another_scene_is_not_taken(scenes: Scenes) -> None:
    scenes.save(scene())
    scenes.save(scene(4, state={"memory": np.zeros(2, np.float32)}))
    scenes.path(4).with_suffix(".npz").replace(scenes.path(3).with_suffix(".npz"))
    loaded, (notice,) = scenes.load(3)
    assert loaded.state is None
    assert "belongs to another scene" in notice


def test_a_file_is_on_the_disk_before_it_has_its_name(scenes: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    on_disk: list[tuple[int, int]] = []
    sync = os.fsync

    def noting(handle: int) -> None:
        found = os.fstat(handle)
        on_disk.append((found.st_ino, found.st_size))
        sync(handle)

    monkeypatch.setattr(os, "fsync", noting)
    scenes.save(scene())
    for path in scenes.folder.iterdir():
        assert (path.stat().st_ino, path.stat().st_size) in on_disk


def test_nothing_is_unpickled(scenes: Scenes) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(scenes.folder / "sprung"),)

    scenes.save(scene())
    trapped = scenes.path(3).with_suffix(".npz")
    with trapped.open("wb") as stream:
        np.savez(stream, state_memory=np.array([Trap()], dtype=object))
    said = yaml.safe_load(scenes.path(3).read_text())
    said["state_sha256"] = hashlib.sha256(trapped.read_bytes()).hexdigest()
    scenes.path(3).write_text(yaml.safe_dump(said))
    loaded, (notice,) = scenes.load(3)
    assert loaded.state is None
    assert "holds no state" in notice
    assert not (scenes.folder / "sprung").exists()


def test_a_disk_that_refuses_leaves_the_old_scene(scenes: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    scenes.save(scene())
    before = {path.name: path.read_bytes() for path in scenes.folder.iterdir()}

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match=r"Scene 3 cannot be saved in .* \(No space left on device\)"):
        scenes.save(scene(name="newer", values={"glow": 1.0}))
    assert {path.name: path.read_bytes() for path in scenes.folder.iterdir()} == before


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scenes").write_text("")
    scenes = Scenes(tmp_path / "scenes")
    with pytest.raises(ConfigError, match="cannot be saved"):
        scenes.save(scene())
    with pytest.raises(ConfigError, match=r"Scene 3 cannot be read"):
        scenes.load(3)
    assert scenes.numbers() == ()


HUGE = "9" * 5000


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are files on POSIX alone")
def test_pipes_devices_and_folders_are_neither_read_nor_written(scenes: Scenes) -> None:
    scenes.folder.mkdir()
    os.mkfifo(scenes.path(1))
    scenes.path(2).symlink_to("/dev/zero")
    scenes.path(3).mkdir()
    for number, kind in ((1, "a pipe"), (2, "a device"), (3, "a folder")):
        with pytest.raises(
            ConfigError, match=f"Scene {number} cannot be read \\(it is {kind}, and a file was expected"
        ):
            scenes.load(number)
        with pytest.raises(ConfigError, match=f"Scene {number} cannot be saved .*it is {kind}, and a file"):
            scenes.save(scene(number))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (f"values: {{gain_db: {HUGE}}}", "a whole number that cannot be read in line 1"),
        (f"name: {HUGE}", "a whole number that cannot be read in line 1"),
        ("values:\n  glow: 0x" + "f" * 5000, "larger than any that can be meant in line 2"),
        ("a: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"b{n}: &a{n + 1} [{f'*a{n},' * 9}]\n" for n in range(9)), "more than 50000 values"),
        ("name: x\nname: y", "the key 'name' stands twice in line 2"),
        ('model: "a\\0b.onnx"', "a character that no text has in line 1"),
        ("values: {glow: " + "[" * 100, "nested more than 64 deep"),
    ],
)  # fmt: skip
def test_a_hostile_scene_is_refused_in_one_sentence(scenes: Scenes, content: str, sentence: str) -> None:
    scenes.folder.mkdir()
    scenes.path(3).write_text(content)
    with pytest.raises(ConfigError, match=sentence) as refusal:
        scenes.load(3)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 500


def test_a_date_is_a_name(scenes: Scenes) -> None:
    scenes.folder.mkdir()
    scenes.path(3).write_text("name: 2026-01-31\nvalues: {glow: 1}")
    assert scenes.load(3).scene.name == "2026-01-31"


def test_any_damage_to_a_scene_is_read_or_refused(scenes: Scenes) -> None:
    """300 scenes with a few bytes changed, and their states too."""
    drawn = random.Random(18)
    scenes.save(scene(3, state={"memory": np.zeros(4, np.float32)}))
    files = {path: path.read_bytes() for path in (scenes.path(3), scenes.path(3).with_suffix(".npz"))}
    refused = noticed = 0
    for _ in range(300):
        for path, whole in files.items():
            content = bytearray(whole)
            for _ in range(drawn.randint(0, 3)):
                content[drawn.randrange(len(content))] = drawn.randrange(256)
            path.write_bytes(content)
        try:
            noticed += len(scenes.load(3).notices)
        except ConfigError:
            refused += 1
    assert min(refused, noticed) > 30
