"""The flags of run_live.py, computed from LiveConfig, the parameter table and the model's card. Imports nothing heavy."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from engine.app.bare_arguments import flag, is_played, played, unknown_argument
from engine.app.config import DEFAULT_MODEL, SETTINGS, LiveConfig, setting_kind
from engine.app.config_checks import check_directions, check_track
from engine.app.config_reading import Resolved, parse_start_value, read_config_files, resolve, settable
from engine.app.renderings import RenderRequest
from engine.app.sink_registry import WINDOW
from engine.audio.sources.input_specs import parse_inputs
from engine.control.left_out import left_out_controls
from engine.control.parameter import Parameter
from engine.control.parameter_table import TABLE, parameters_for
from engine.core.argument_parser import ArgumentParser
from engine.core.errors import ConfigError, ModelFileError
from engine.core.printable import printable
from engine.model.backends.selection import read_card
from engine.model.card import ModelCard
from engine.model.shipped import model_path
from engine.output.film import FilmFormat, parse_fps, parse_size
from engine.output.window.keys import HELP

DESCRIPTION = "Render video that follows sound. Without flags: from the microphone, in a window. `run_live.py song.wav` plays a file."
EPILOG = "In the window: " + "; ".join(f"{keys}: {what}" for keys, what in HELP) + "."
DEFAULT_VENUE = "venue.yaml"
_CONTROL = "control:"
LIVE_ONLY = ("midi", "midi_clock_out", "controller", "log", "health_port", "listen")
"""Settings that a rendering refuses; parameters say so themselves."""
Inquiry = Literal["devices", "backends", "gallery"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedCommand:
    """The command line, read and checked."""

    resolved: Resolved
    card: ModelCard
    parameters: tuple[Parameter, ...]
    render: RenderRequest | None
    replay: tuple[str, str] | None
    """A take and the file to render it to."""
    film: FilmFormat
    """What the file of a rendering or a replay is to be."""
    calibrate: bool
    calibrate_from: str | None
    venue: str
    """The file that a calibration writes."""
    dry_run: bool


def parse_command(arguments: Sequence[str]) -> ParsedCommand | Inquiry:
    """Read the command line: a show, or a list that is asked for. Raises ConfigError or ModelFileError."""
    early, _ = _early_parser().parse_known_args(arguments)
    asks_help = early.help or early.devices or early.backends or early.gallery
    file_values = read_config_files(early.config) if not asks_help else {}
    # Which controls there are depends on the model, so it is read before the other flags.
    asked = str(early.model or file_values.get("model") or DEFAULT_MODEL)
    model = asked if asks_help else model_path(asked)
    card = _card_if_any(asked) if asks_help else read_card(model)
    parameters = parameters_for(card) if card else TABLE
    left_out: Mapping[str, str] = left_out_controls(card) if card else {}
    parser = build_parser(parameters, card.name if card else None, left_out)
    parsed, others = parser.parse_known_args(arguments)
    unknown = [argument for argument in others if not is_played(argument)]
    if unknown:
        known = [option for action in parser._actions for option in action.option_strings]  # pyright: ignore[reportPrivateUsage]
        raise unknown_argument(unknown[0], known)
    if parsed.gallery:
        return "gallery"
    if parsed.backends:
        return "backends"
    if parsed.devices or card is None:
        return "devices"
    given = {name: value for name, value in vars(parsed).items() if value is not None}
    controls = {name.removeprefix(_CONTROL): v for name, v in given.items() if name.startswith(_CONTROL)}
    settings = {name: given[name] for name in SETTINGS if name in given}
    for values in (settings, file_values):
        if values.get("model"):
            values["model"] = model
    if others:
        settings = {**settings, **played(others, parsed, "listen" in {**file_values, **settings})}
    beside = {name: given[name] for name in ("map", "config") if given.get(name)}
    _check_action(parsed)
    if parsed.listen and is_played(parsed.listen):
        raise ConfigError(
            f"--listen names a loudspeaker, and {parsed.listen} is a sound; write {parsed.listen} --listen."
        )
    render = RenderRequest.of(parsed.render) if parsed.render else None
    _check_render(render, {**settings, **controls}, parameters)
    _check_replay(parsed.replay, {**settings, **controls, **beside})
    film = _film_format(parsed, bool(controls.get("fill")))
    resolved = resolve(file_values, settings, controls, parameters, parse_mappings(parsed.map or []), left_out)
    # A replay has the inputs of its take.
    if not parsed.replay:
        notices = check_directions(resolved.config, parameters, render.inputs if render else None, left_out)
        resolved = replace(resolved, notices=tuple(dict.fromkeys((*resolved.notices, *notices))))
        films = [parsed.calibrate_from] if parsed.calibrate_from else resolved.config.source
        check_track(resolved.config.track, parse_inputs(render.inputs if render else films))
    return ParsedCommand(
        resolved=resolved,
        card=card,
        parameters=parameters,
        render=render,
        replay=tuple(parsed.replay) if parsed.replay else None,
        film=film,
        calibrate=parsed.calibrate,
        calibrate_from=parsed.calibrate_from,
        venue=parsed.venue or DEFAULT_VENUE,
        dry_run=parsed.dry_run,
    )


def parse_mappings(given: Sequence[str]) -> dict[str, str]:
    """Return expressions by parameter from texts like "glow=0.6 * onset". Raises ConfigError."""
    mappings: dict[str, str] = {}
    for text in given:
        name, equals, expression = text.partition("=")
        if not (name.strip() and equals and expression.strip()):
            raise ConfigError(f"--map takes PARAMETER=EXPRESSION, such as glow='0.6 * onset', not '{text}'.")
        mappings[name.strip().replace("-", "_")] = expression.strip()
    return mappings


def build_parser(
    parameters: Iterable[Parameter], model_name: str | None, left_out: Iterable[str] = ()
) -> argparse.ArgumentParser:
    """Return the parser for the settings, the engine's parameters and those of the model called `model_name`.

    Flags of its controls that are `left_out` are read and not shown.
    """
    parser = ArgumentParser(prog="run_live.py", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False)
    _add_actions(parser)
    show = parser.add_argument_group("the show")
    show.add_argument(
        "--map",
        action="append",
        metavar="PARAMETER=EXPRESSION",
        help="drive a parameter from the sound, e.g. glow='0.6 * onset'",
    )
    show.add_argument(
        "--config",
        action="append",
        metavar="FILE.yaml",
        help="read settings from a file; flags override files, later files override earlier ones",
    )
    for name in SETTINGS:
        _add_setting(show, name)
    engine = parser.add_argument_group("start values of the engine's parameters (they can change while the show runs)")
    model = (
        parser.add_argument_group(f"start values of the parameters of the model '{printable(model_name)}'")
        if model_name
        else engine
    )
    own = {parameter.name for parameter in TABLE}
    for parameter in settable(parameters).values():
        if flag(parameter.name) in parser._option_string_actions:  # pyright: ignore[reportPrivateUsage]
            raise ModelFileError(
                f"Model '{model_name}' declares a control '{parameter.name}', but {flag(parameter.name)} is a flag of the "
                "engine; rename the control and export the model again."
            )
        group = engine if parameter.name in own else model
        _add_parameter(group, parameter, parameter.name, parameter.help)
        for former in parameter.former_names:
            _add_parameter(group, parameter, former, argparse.SUPPRESS)
    for name in left_out:
        if flag(name) not in parser._option_string_actions:  # pyright: ignore[reportPrivateUsage]
            model.add_argument(flag(name), dest=_CONTROL + name, help=argparse.SUPPRESS)
    return parser


def _add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_argument_group("what to do instead")
    actions.add_argument(
        "--render",
        nargs="+",
        metavar=("IN", "OUT"),
        help="render a sound or video file to OUT.mp4, as fast as the machine can; several files, or a folder with all in it, "
        "into the folder OUT; several with names, as in drums=a.wav voice=b.wav, are the inputs of one film OUT.mp4",
    )
    actions.add_argument(
        "--replay",
        nargs=2,
        metavar=("TAKE", "OUT.mp4"),
        help="render a show that --take recorded once more, bit-exact; window in place of OUT.mp4 plays it",
    )
    actions.add_argument(
        "--size", metavar="WxH", help="size of a rendering or a replay in pixels, e.g. 1920x1080 (default: the model's)"
    )
    actions.add_argument(
        "--fps",
        metavar="RATE",
        help="frames a second of a rendering or a replay, e.g. 60: effects move at this rate, the model keeps its own (default: the "
        "model's)",
    )
    actions.add_argument(
        "--blend",
        action="store_true",
        help="with --fps, mix two frames of the model for the moments between them, instead of repeating one",
    )
    actions.add_argument(
        "--calibrate",
        action="store_true",
        help="play clicks, flash for each click that comes back, and estimate the latency",
    )
    actions.add_argument(
        "--calibrate-from",
        metavar="FILM",
        help="measure the venue's latency from a film, with sound, of the flashing window",
    )
    actions.add_argument(
        "--venue",
        metavar="FILE.yaml",
        help=f"the file that --calibrate and --calibrate-from write, for --config (default: {DEFAULT_VENUE})",
    )
    actions.add_argument("--devices", action="store_true", help="list the sound inputs and the monitors")
    actions.add_argument(
        "--backends", action="store_true", help="list the backends that run on this machine, and what the others lack"
    )
    actions.add_argument(
        "--gallery", action="store_true", help="list the models that ship, which --model finds by name"
    )
    actions.add_argument("--dry-run", action="store_true", help="print the configuration and exit")


def _early_parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("-h", "--help"):
        parser.add_argument(name, dest="help", action="store_true")
    parser.add_argument("--devices", action="store_true")
    parser.add_argument("--backends", action="store_true")
    parser.add_argument("--gallery", action="store_true")
    parser.add_argument("--config", action="append", default=[])
    parser.add_argument("--model")
    return parser


def _card_if_any(model: str) -> ModelCard | None:
    try:
        return read_card(model_path(model))
    except ModelFileError:
        return None


def _check_action(parsed: argparse.Namespace) -> None:
    asked = [flag(name) for name in ("render", "replay", "calibrate", "calibrate_from") if getattr(parsed, name)]
    if len(asked) > 1:
        raise ConfigError(f"{' and '.join(asked)} exclude each other; give one of them.")
    if parsed.venue and not (parsed.calibrate or parsed.calibrate_from):
        raise ConfigError(
            f"--venue names the file that --calibrate writes; to play with it, give --config {parsed.venue} instead."
        )


def _check_render(render: RenderRequest | None, given: dict[str, Any], parameters: Sequence[Parameter]) -> None:
    if render is None:
        return
    for name in ("source", "out", "repeat", "take"):
        if name in given:
            raise ConfigError(f"--render is given its sound and its output; leave {flag(name)} out.")
    for name in (*LIVE_ONLY, *(parameter.name for parameter in parameters if parameter.live_only)):
        if name in given:
            raise ConfigError(f"{flag(name)} is for live shows; leave it out of a rendering.")
    if render.into_folder:
        if "stats" in given:
            raise ConfigError("--stats measures one rendering; leave it out, or render the files one by one.")
        return
    output = Path(render.output)
    for spec in parse_inputs(render.inputs):
        source = Path(spec.detail)
        if spec.kind == "file" and source.exists() and output.exists() and source.samefile(output):
            raise ConfigError(f"--render would overwrite its own input {source}; give another output.")


def _check_replay(replay: Sequence[str] | None, given: dict[str, Any]) -> None:
    """A replay repeats the show: only the place of the model file may differ, and in the window it can be listened to."""
    if replay is None:
        return
    heard = ("listen", "listen_delay_ms")
    for name in given:
        if name in heard and replay[1] != WINDOW:
            raise ConfigError(
                f"{flag(name)} is for a replay in the window: --replay TAKE window; leave it out for a file."
            )
        # `fill` fits the frames into the film and changes none of them.
        fits = name == "fill" and replay[1] != WINDOW
        if not fits and name not in ("model", "context", "stats", *heard):
            given_flag = flag(f"no_{name}" if given[name] is False else name)
            raise ConfigError(f"--replay repeats the show that the take recorded; leave {given_flag} out.")


def _film_format(parsed: argparse.Namespace, is_filled: bool) -> FilmFormat:
    """Return what was asked of the film. Raises ConfigError for a size or a rate without one, and for values that cannot be."""
    given = [name for name in ("size", "fps", "blend") if getattr(parsed, name)]
    plays = bool(parsed.replay) and parsed.replay[1] == WINDOW
    if given and plays:
        raise ConfigError(
            f"{flag(given[0])} is for a replay into a file; leave it out, the window has its own size and rate."
        )
    if given and not (parsed.render or parsed.replay):
        raise ConfigError(
            f"{flag(given[0])} is for --render and --replay; leave it out, a window has its own size and rate."
        )
    if parsed.blend and not parsed.fps:
        raise ConfigError(
            "--blend fills the time between frames of the model; give the film's rate too, e.g. --fps 60."
        )
    return FilmFormat(
        size=parse_size(parsed.size) if parsed.size else None,
        fps=parse_fps(parsed.fps) if parsed.fps else None,
        is_blended=parsed.blend,
        # What a take says of `fill` was meant for the window of its show.
        is_filled=is_filled if parsed.replay else None,
    )


def _add_setting(group: Any, name: str) -> None:
    field, kind = SETTINGS[name], setting_kind(name)
    default = getattr(LiveConfig(), name)
    text: str = field.metadata["help"]
    if kind is bool:
        group.add_argument(flag(name), action=argparse.BooleanOptionalAction, default=None, help=text)
        return
    if default not in (None, ()):
        text += f" (default: {_short(default)})"
    action = "append" if kind is tuple else "store"
    alone: dict[str, Any] = {"nargs": "?", "const": field.metadata["alone"]} if field.metadata["alone"] else {}
    group.add_argument(
        flag(name), action=action, metavar=field.metadata["metavar"], help=text.replace("%", "%%"), **alone
    )


def _short(default: Any) -> str:
    return Path(default).name if default == DEFAULT_MODEL else str(default)


def _add_parameter(group: Any, parameter: Parameter, name: str, help: str) -> None:
    """Add the flag of a parameter under `name`, which may be a former one."""
    destination = _CONTROL + name
    # Help and unit come from the model's card; in a name for a value argparse takes brackets and blanks for its own.
    text = printable(help).rstrip(".").replace("%", "%%")
    metavar = re.sub(r"[^\w°%/-]+", "", parameter.unit) or "X"
    if parameter.kind == "bool":
        if help != argparse.SUPPRESS and parameter.default:
            text += " (default: on)"
        group.add_argument(flag(name), dest=destination, action=argparse.BooleanOptionalAction, default=None, help=text)
        return

    def parse(given: str) -> object:
        try:
            return parse_start_value({parameter.name: parameter}, parameter.name, given)
        except ConfigError as error:
            # argparse would hide the sentence of any other exception.
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error

    if help != argparse.SUPPRESS:
        expected = ", ".join(parameter.choices) or parameter.expected()
        text += f": {printable(expected).replace('%', '%%')} (default: {parameter.default_in_words()})"
    group.add_argument(flag(name), dest=destination, type=parse, metavar=metavar, help=text)
