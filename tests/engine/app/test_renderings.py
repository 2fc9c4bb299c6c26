"""Which sounds `--render` finds, and the file that each becomes."""

from pathlib import Path

import pytest

from engine.app.command_line import parse_command
from engine.app.renderings import RenderRequest
from engine.core.errors import ConfigError


def made(folder: Path, *names: str) -> Path:
    """Make empty files below a folder."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def outputs(*paths: Path | str) -> list[str]:
    """Return the outputs of `--render PATHS`, below the output folder."""
    request = RenderRequest.of([str(path) for path in paths])
    return [each.output.relative_to(request.output).as_posix() for each in request.renderings()]


def test_one_sound_and_a_file_are_the_single_form(tmp_path: Path) -> None:
    sound = str(made(tmp_path, "a.wav") / "a.wav")
    assert not RenderRequest.of([sound, "out.mp4"]).into_folder
    assert not RenderRequest.of(["demo", "null"]).into_folder
    assert RenderRequest.of([sound, str(tmp_path)]).into_folder
    assert RenderRequest.of([sound, "new/"]).into_folder


def test_a_folder_gives_its_sounds_and_repeats_its_folders(tmp_path: Path) -> None:
    names = ("b.WAV", "a.flac", "album/a.mp3", "album/film.mov", "notes.txt", "cover.jpg", ".hidden.wav", ".old/x.wav")
    assert outputs(made(tmp_path / "in", *names), tmp_path / "out") == [
        "a.mp4",
        "album/a.mp4",
        "album/film.mp4",
        "b.mp4",
    ]


def test_names_that_collide_become_distinct(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one", "a.wav", "A.mp3", "b.wav"), made(tmp_path / "other", "a.wav")
    found = outputs(one / "a.wav", one / "A.mp3", one / "b.wav", other / "a.wav", tmp_path / "out")
    assert found == ["a-wav.mp4", "A-mp3.mp4", "b.mp4", "a-wav-2.mp4"]


def test_a_sound_that_is_given_twice_is_rendered_once(tmp_path: Path) -> None:
    folder = made(tmp_path / "in", "a.wav", "b.wav")
    assert outputs(folder / "a.wav", folder, folder / "b.wav", tmp_path / "out") == ["a.mp4", "b.mp4"]


def test_what_was_rendered_into_the_folder_itself_is_not_rendered_again(tmp_path: Path) -> None:
    folder = made(tmp_path / "in", "a.wav", "out/old.mp4")
    assert outputs(folder, folder / "out") == ["a.mp4"]


def test_sources_without_a_file_have_names_too(tmp_path: Path) -> None:
    assert outputs("demo", "tone:440", tmp_path / "out") == ["demo.mp4", "tone-440.mp4"]
    secret = "hidden" * 100
    addresses = [f"http://me:{secret}@host/set/night.mp3?key={secret}", f"rtsp://me:{secret}@host:8554/"]
    assert outputs(*addresses, tmp_path / "out") == ["night.mp4", "host-8554.mp4"]


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    folder = made(tmp_path / "in", "a.wav", "b.wav", "texts/c.txt")
    with pytest.raises(ConfigError, match=r"the folder .* to render and to render into; give another folder"):
        RenderRequest.of([str(folder), f"{folder}/"])
    sounds = [str(folder / "a.wav"), str(folder / "b.wav")]
    with pytest.raises(ConfigError, match=r"was given x\.wav alone; a sound and its video file were expected"):
        RenderRequest.of(["x.wav"])
    with pytest.raises(ConfigError, match=r"was given 2 sounds and, as the last path, the file x\.mp4; give a folder"):
        RenderRequest.of([*sounds, "x.mp4"])
    with pytest.raises(
        ConfigError, match=r"was given 2 sounds and, as the last path, the file .*b\.wav; give a folder"
    ):
        RenderRequest.of(["c.wav", *sounds])
    with pytest.raises(ConfigError, match=r"was given the folder .*in and, as the last path, the file x\.mp4"):
        RenderRequest.of([str(folder), "x.mp4"])
    with pytest.raises(ConfigError, match=r"The folder .*texts holds no sound or video file"):
        outputs(folder / "texts", tmp_path / "out")
    with pytest.raises(ConfigError, match="--stats measures one rendering"):
        parse_command(["--render", *sounds, str(tmp_path), "--stats", "s.json"])


def test_sounds_with_names_are_the_inputs_of_one_film(tmp_path: Path) -> None:
    sounds = [f"{name}={made(tmp_path, f'{name}.wav') / f'{name}.wav'}" for name in ("drums", "voice")]
    request = RenderRequest.of([*sounds, "out.mp4"])
    assert not request.into_folder
    assert request.inputs == tuple(sounds)
    # One name alone is enough for mappings to use it.
    assert RenderRequest.of([sounds[0], "out.mp4"]).inputs == (sounds[0],)
    for output in (str(tmp_path), "new/"):
        with pytest.raises(
            ConfigError, match=r"inputs with names, which become one film, and the folder .*; give a file"
        ):
            RenderRequest.of([*sounds, output])
    with pytest.raises(ConfigError, match=r"give all of them names, to play them together, or none"):
        RenderRequest.of([sounds[0], "demo", "out.mp4"])
    with pytest.raises(ConfigError, match=r"overwrite its own input .*voice\.wav"):
        parse_command(["--render", *sounds, str(tmp_path / "voice.wav")])


def test_a_file_whose_name_looks_like_an_input_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "drums=take.wav", "b.wav")
    monkeypatch.chdir(tmp_path)
    assert RenderRequest.of(["drums=take.wav", "b.wav", "out/"]).into_folder
