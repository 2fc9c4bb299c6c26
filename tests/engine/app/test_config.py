"""What a show is made of: default < file < flag, and a sentence for every mistake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.app.bare_arguments import flag
from engine.app.command_line import parse_command
from engine.app.config import DEFAULT_MODEL, SETTINGS, LiveConfig
from engine.app.config_checks import check_directions
from engine.app.config_reading import describe, parse_setting, read_config_file, resolve
from engine.control.parameter_table import TABLE, parameters_for
from engine.core.errors import ConfigError, ModelFileError
from engine.model.file import read_card
from tests.engine.model.probe_model import CARD

PARAMETERS = parameters_for(CARD)
LIVE = Path(__file__).parents[3] / "configs" / "live"


def written(folder: Path, text: str) -> str:
    path = folder / "show.yaml"
    path.write_text(text)
    return str(path)


def test_flags_come_before_the_file_and_the_file_before_defaults(probe_file, tmp_path):
    config = written(tmp_path, "threads: 3\nseconds: 4\nout: ['null']\ncontrols: {gain_db: 3, gain: 2, mirror: on}")
    order = parse_command(["--model", str(probe_file), "--config", config, "--seconds", "5", "--gain-db", "-6"])
    assert order
    expected = LiveConfig(model=str(probe_file), threads=3, seconds=5.0, out=("null",))
    assert replace(order.resolved.config, controls=expected.controls) == expected
    assert order.resolved.config.controls == {"gain_db": -6.0, "gain": 2.0, "mirror": True}
    lines = describe(order.resolved, order.parameters)
    assert "* threads:       3  (file)" in lines
    assert "* seconds:       5.0  (flag)" in lines
    assert "*   gain_db:     -6.0  (flag)" in lines
    assert "  backend:       auto" in lines


def test_the_model_may_come_from_the_file(probe_file, tmp_path):
    order = parse_command(["--config", written(tmp_path, f"model: {probe_file}"), "--gain", "2"])
    assert order
    assert order.resolved.config.controls == {"gain": 2.0}


def test_the_default_file_says_what_the_defaults_are():
    resolved = resolve(read_config_file(LIVE / "default.yaml"), {}, {}, PARAMETERS)
    assert set(read_config_file(LIVE / "default.yaml")) == {*SETTINGS, "controls", "mappings", "midi_parameters"}
    assert replace(resolved.config, controls={}) == replace(LiveConfig(), controls={})
    defaults = {p.name: p.default for p in PARAMETERS}
    assert set(resolved.config.controls) == {p.name for p in TABLE if not p.happens}
    for name, value in resolved.config.controls.items():
        assert value == defaults[name]


@pytest.mark.parametrize("path", sorted(LIVE.glob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_files_are_valid(path):
    parameters = parameters_for(read_card(DEFAULT_MODEL))
    check_directions(resolve(read_config_file(path), {}, {}, parameters).config, parameters)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sorce: mic", "unknown key 'sorce'. Did you mean 'source'"),
        ("- mic", "a mapping of settings was expected"),
        ("a: [", "is not valid YAML"),
        ("threads: two", "threads is 'two'; a whole number from 1 to 256"),
        ("threads: true", "a whole number"),
        ("threads: 1.5", "a whole number"),
        ("seconds: .nan", "a number"),
        ("osc_port: 65536", "from 0 to 65535"),
        ("fullscreen: 3", "true or false"),
        ("title: 3", "a text was expected"),
        ("{source: a.wav, track: [2]}", "track is .2.; a text was expected"),
        ("{source: mic, track: 2}", "track is '2', and mic has no tracks; leave --track out"),
        ("out: [3]", "a list of texts"),
        ("osc_allow: [10.0.0.0/33]", "osc_allow names '10.0.0.0/33'; an address or a network was expected"),
        ("osc_allow: 5", "osc_allow is 5; a list of texts"),
        ("remote_lock: [recrod]", "remote_lock names 'recrod', which is no parameter. Did you mean 'record'"),
        (
            "{midi: pad, midi_parameters: {20: record}, remote_lock: [record]}",
            "gives record to controller 20 and remote_lock",
        ),
        ("midi_api: alsa", "midi_api is 'alsa'; auto or jack was expected"),
        ("midi: 3", "midi is 3; a list of texts"),
        ("controller: none.yaml", "Cannot read the controller file none.yaml"),
        ("controller: [configs/controllers/generic.yaml]", "no MIDI port is; add --midi all"),
        ("controls: 3", "a mapping of parameters"),
        ("controls: {gian_db: 3}", "no parameter 'gian_db'. Did you mean 'gain_db'"),
        ("controls: {gain_db: 50}", "gain_db takes a number from -60 to 40 dB, not 50"),
        ("controls: {reset: 1}", "reset is an event"),
        ("source: 3", "source is 3; a list of texts"),
        ("source: [a=demo, tone]", "The input 'tone' has no name"),
        ("source: [a=demo, a=tone]", "Two inputs are called 'a'"),
        ("source: [gain=demo]", "An input cannot be called 'gain'"),
        ("{source: [drums=demo], model_input: drum}", "Did you mean 'drums'"),
        ("model_input: mix", "among inputs with names, and there are none"),
        ("mappings: {glow: drums.onset}", "names 'drums', which is no input of this show"),
        ("{source: [drums=demo], mappings: {glow: drums.onst}}", "Did you mean 'onset'"),
    ],
)
def test_mistakes_in_a_file(probe_file, tmp_path, text, sentence):
    with pytest.raises(ConfigError, match=sentence.replace("(", r"\(")):
        parse_command(["--model", str(probe_file), "--config", written(tmp_path, text)])


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("a.wav b.wav", "A show plays one sound, and a.wav and b.wav came"),
        ("song.wav --source mic", "song.wav came without a flag, beside --source"),
        ("http://me:hidden@host/a?b --source mic", r"http://host/a\?\.\.\. came without a flag"),
        ("song.wav --render out.mp4", "--render was given out.mp4 alone|song.wav came without a flag"),
        ("docs", "docs is a folder, and a show plays one sound; --render docs FOLDER"),
        ("--volume 3", "Did you mean --gain-db"),
        ("--venue x.yaml", "--venue names the file that --calibrate writes"),
        ("--replay take", "--replay came without TAKE OUT.mp4"),
        ("nothing", "Unknown argument 'nothing'. See --help"),
        ("--track 2", "track is '2', and the default source has no tracks"),
        ("--render demo b.mp4 --track ger", "track is 'ger', and demo has no tracks"),
        ("--sorce mic", "Unknown argument '--sorce'. Did you mean '--source'"),
        ("--gain-db 50", "gain_db takes a number from -60 to 40 dB, not '50'"),
        ("--gain-db nan", "gain_db takes"),
        ("--threads", "--threads came without N; add it"),
        ("--osc-port x", "osc_port is 'x'"),
        ("--config none.yaml", "Cannot read the configuration none.yaml"),
        ("--render a.wav b.mp4 --source mic", "leave --source out"),
        ("--render pyproject.toml ./pyproject.toml", "overwrite its own input"),
        ("--render a.wav b.mp4 --record", "--record is for live shows"),
        ("--render a.wav b.mp4 --health-port 8080", "--health-port is for live shows"),
        ("--render a.wav b.mp4 --replay take c.mp4", "--render and --replay exclude each other"),
        ("--calibrate --calibrate-from film.mp4", "--calibrate and --calibrate-from exclude each other"),
        ("--replay take c.mp4 --gain-db 3", "repeats the show that the take recorded; leave --gain-db out"),
        ("--replay take c.mp4 --map glow=hit", "leave --map out"),
        ("--size 640x480", "--size is for --render and --replay; leave it out"),
        ("--fps 60", "--fps is for --render and --replay; leave it out"),
        ("--render a.wav b.mp4 --fps fast", "'fast' is no frame rate; frames a second from 1 to 240"),
        ("--render a.wav b.mp4 --size 9x9", "'9x9' is no size; width and height from 16 to 8192"),
        ("--render a.wav b.mp4 --blend", "give the film's rate too, e.g. --fps 60"),
        ("--replay take window --fill", "leave --fill out"),
        ("--dry-run --map glow=levle", "Did you mean 'level'"),
        ("--dry-run --map glwo=hit", "Did you mean 'glow'"),
        ("--dry-run --map glow", "--map takes PARAMETER=EXPRESSION"),
        ("--source onset=demo", "An input cannot be called 'onset'"),
        ("--source drums=demo --map glow=drum.onset", "Did you mean 'drums'"),
        ("--source drums=demo --source voice=tone --model-input voise", "Did you mean 'voice'"),
        ("--render drums=a.wav b.wav c.mp4", "'drums=a.wav' with a name and 'b.wav' without"),
        ("--render drums=a.wav voice=b.wav c/", "which become one film, and the folder c/"),
        ("--render drums=a.wav voice=b.wav c.mp4 --map glow=bass.onset", "which is no input of this show"),
        ("--render a.wav c.mp4 --model-input mix", "among inputs with names"),
    ],
)
def test_mistakes_in_flags(probe_file, flags, sentence):
    with pytest.raises(ConfigError, match=sentence):
        parse_command(["--model", str(probe_file), *flags.split()])


@pytest.mark.parametrize(
    ("given", "listen"),
    [("song.wav", "auto"), ("demo", "auto"), ("mic", None), ("http://host/a", None), ("song.wav --listen", "default")],
)
def test_a_sound_without_a_flag_is_played_and_heard_where_it_can_be(probe_file, given, listen):
    order = parse_command(["--no-osc", *given.split(), "--model", str(probe_file), "--seconds", "3"])
    assert not isinstance(order, str)
    assert (order.resolved.config.source, order.resolved.config.listen) == ((given.split()[0],), listen)


def test_a_track_is_a_number_or_a_language(probe_file, tmp_path):
    for given in (["--source", "a.wav", "--track", "2"], ["--config", written(tmp_path, "{source: a.wav, track: 2}")]):
        order = parse_command(["--model", str(probe_file), *given])
        assert not isinstance(order, str)
        assert order.resolved.config.track == "2"
    order = parse_command(["--model", str(probe_file), "--calibrate-from", "film.mp4", "--track", "ger"])
    assert not isinstance(order, str)


def test_the_password_of_an_address_is_not_shown(probe_file):
    order = parse_command(
        ["--model", str(probe_file), "--source", "a=rtsp://me:hidden@host/1", "--source", "b=mic", "--dry-run"]
    )
    assert not isinstance(order, str)
    lines = describe(order.resolved, order.parameters)
    assert "a=rtsp://host/1, b=mic" in lines[0]
    assert "hidden" not in "".join(lines)
    assert order.resolved.config.source[0] == "a=rtsp://me:hidden@host/1"


def test_a_missing_model_is_one_sentence():
    with pytest.raises(ModelFileError, match=r"There is no model file none\.onnx"):
        parse_command(["--model", "none.onnx"])


def test_every_setting_has_a_flag_and_a_key(probe_file, capsys):
    with pytest.raises(SystemExit):
        parse_command(["--model", str(probe_file), "--help"])
    page = capsys.readouterr().out
    for name, field in SETTINGS.items():
        assert flag(name) in page
        assert field.metadata["help"]
    assert "--gain X" in page
    assert parse_setting("seconds", "2") == 2.0


def test_a_replay_takes_nothing_from_a_file(probe_file, tmp_path):
    config = written(tmp_path, "controls: {gain_db: 3}")
    with pytest.raises(ConfigError, match="leave --config out"):
        parse_command(["--model", str(probe_file), "--config", config, "--replay", "take", "c.mp4"])


def test_midi_parameters_are_checked_before_anything_is_opened(probe_file, tmp_path):
    config = written(tmp_path, "midi: launch\nmidi_parameters: {7: brightnes}")
    with pytest.raises(ConfigError, match="Did you mean 'brightness'"):
        parse_command(["--model", str(probe_file), "--config", config, "--dry-run"])


def test_a_controller_file_is_checked_before_anything_is_opened(probe_file, tmp_path):
    (tmp_path / "pad.yaml").write_text("assignments: [{control: 7, parameter: brightnes}]")
    with pytest.raises(ConfigError, match=r"with control 7, which is no parameter\. Did you mean 'brightness'"):
        parse_command(["--model", str(probe_file), "--controller", str(tmp_path / "pad.yaml"), "--dry-run"])


def test_several_ports_may_be_listened_to(probe_file, tmp_path):
    order = parse_command(["--model", str(probe_file), "--midi", "nano", "--midi", "pad"])
    assert order.resolved.config.midi == ("nano", "pad")
    # The form of the version before, with one port.
    order = parse_command(["--model", str(probe_file), "--config", written(tmp_path, "midi: launch")])
    assert order.resolved.config.midi == ("launch",)


def test_several_files_are_read_as_one(tmp_path):
    (tmp_path / "stage.yaml").write_text("title: Stage\ncontrols: {trail: 0.4, zoom: 2}\nmappings: {glow: hit}")
    (tmp_path / "venue.yaml").write_text("controls: {look_ahead_ms: 40, zoom: 1.5}")
    order = parse_command(["--config", str(tmp_path / "stage.yaml"), "--config", str(tmp_path / "venue.yaml")])
    config = order.resolved.config
    assert config.title == "Stage"
    assert config.controls == {"trail": 0.4, "zoom": 1.5, "look_ahead_ms": 40.0}
    assert config.mappings == {"glow": "hit"}


def test_one_source_may_stand_without_a_list_and_several_have_names(probe_file, tmp_path):
    def source(*flags: str) -> tuple[str, ...]:
        order = parse_command(["--model", str(probe_file), *flags])
        return order.resolved.config.source

    assert source("--config", written(tmp_path, "source: demo")) == ("demo",)
    assert source("--config", written(tmp_path, "source: [drums=demo, voice=tone]")) == ("drums=demo", "voice=tone")
    # Flags take the place of the file's inputs.
    assert source("--config", written(tmp_path, "source: [drums=demo, voice=tone]"), "--source", "mic") == ("mic",)
    assert source("--source", "drums=demo", "--source", "voice=tone", "--map", "glow=voice.low * drums.onset")
    assert source() == ()


def test_a_rendering_takes_its_inputs_from_its_own_paths(probe_file, tmp_path):
    for name in ("drums.wav", "voice.wav"):
        (tmp_path / name).touch()
    paths = [f"{name}={tmp_path / name}.wav" for name in ("drums", "voice")]
    order = parse_command(
        ["--model", str(probe_file), "--render", *paths, "out.mp4", "--map", "glow=voice.onset", "--model-input", "mix"]
    )
    assert order.render.inputs == tuple(paths)
    assert not order.render.into_folder
