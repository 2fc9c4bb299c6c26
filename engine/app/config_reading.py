"""Reads configurations: from files and flags to one LiveConfig, with the origin of each value. Raises ConfigError for mistakes."""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from engine.app.config import (
    CONTROLS,
    FORMER_KEYS,
    HINTS,
    MAPPINGS,
    MIDI_PARAMETERS,
    SETTINGS,
    LiveConfig,
    Origin,
    setting_kind,
)
from engine.control.former_names import FormerNames, former_names
from engine.control.parameter import Parameter, Value
from engine.core.errors import ConfigError, nearest_name
from engine.core.structured import shortened, shown
from engine.media.address import shown_address


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """A configuration and where each of its values comes from; what is in neither mapping is a default."""

    config: LiveConfig
    origins: Mapping[str, Origin]
    notices: tuple[str, ...] = ()
    """One for each former name that was used, and for each control of the model that is left out."""


def settable(parameters: Iterable[Parameter]) -> dict[str, Parameter]:
    """Return the parameters that have a start value: all but triggers and events."""
    return {parameter.name: parameter for parameter in parameters if not parameter.happens}


def read_config_file(path: Path | str) -> dict[str, Any]:
    """Read a YAML file of settings. Raises ConfigError, naming the file, unless it is a mapping of known keys."""
    from engine.core.yaml_reading import read_yaml

    try:
        values: Any = read_yaml(path)
    except OSError as error:
        raise ConfigError(
            f"Cannot read the configuration {path}: {error.strerror}; give the path of a YAML file."
        ) from error
    except ValueError as error:
        raise ConfigError(f"{path} is not valid YAML ({error}); see configs/live/default.yaml for the form.") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path} holds {shown(values)}; a mapping of settings was expected, as in configs/live/default.yaml."
        )
    known = (*SETTINGS, CONTROLS, MAPPINGS, MIDI_PARAMETERS, *FORMER_KEYS)
    for key in cast(dict[Any, Any], values):
        if key not in known:
            raise ConfigError(f"{path} has an unknown key '{shortened(key)}'.{nearest_name(str(key), known)}")
    return cast(dict[str, Any], values)


def read_config_files(paths: Iterable[Path | str]) -> dict[str, Any]:
    """Read several files as one: of a setting, a parameter, a mapping that stands in more than one the last counts."""
    whole: dict[str, Any] = {}
    for path in paths:
        for key, value in read_config_file(path).items():
            before = whole.get(key)
            both = isinstance(before, dict) and isinstance(value, dict)
            whole[key] = {**cast(dict[Any, Any], before), **cast(dict[Any, Any], value)} if both else value
    return whole


def resolve(
    file_values: Mapping[str, Any],
    flag_values: Mapping[str, Any],
    flag_controls: Mapping[str, Any],
    parameters: Iterable[Parameter],
    flag_mappings: Mapping[str, str] = MappingProxyType({}),
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> Resolved:
    """Put a configuration together: default < file < flag. Raises ConfigError for a value of the wrong kind or out of range.

    `left_out` has the notice for each name that is no parameter any more: what names it is left out, and told once.
    """
    origins: dict[str, Origin] = {}
    settings: dict[str, Any] = {}
    controls: dict[str, Value] = {}
    known = {parameter.name: parameter for parameter in parameters}
    notices = list[str]()
    for former, key in FORMER_KEYS.items():
        if former in file_values:
            notices.append(f"{former} is now called {key}; the old name works until the next version.")
            file_values = {key: file_values[former], **file_values}
    current = FormerNames(former_names(known.values()), notices.append).current
    layers: tuple[tuple[Origin, Mapping[str, Any], Mapping[str, Any]], ...] = (
        ("file", file_values, _section(file_values, CONTROLS, "a mapping of parameters was expected, e.g. gain_db: 6")),
        ("flag", flag_values, flag_controls),
    )
    for origin, given_settings, given_controls in layers:
        for name, given in given_settings.items():
            # A key without a value in a file leaves the default.
            if name in SETTINGS and given is not None:
                settings[name] = parse_setting(name, given)
                origins[name] = origin
        for name, given in _without(left_out, given_controls, notices).items():
            name = current(name)
            controls[name] = parse_start_value(known, name, given)
            origins[name] = origin
    mappings = {
        **_section(file_values, MAPPINGS, "expressions by parameter were expected, e.g. glow: 0.6 * onset"),
        **flag_mappings,
    }
    mappings = _without(left_out, mappings, notices)
    by_controller: Any = _section(
        file_values, MIDI_PARAMETERS, "parameters by controller number were expected, e.g. 7: brightness"
    )
    by_controller = _without(left_out, by_controller, notices, by_value=True)
    config = LiveConfig(
        **settings,
        controls=MappingProxyType(controls),
        mappings=MappingProxyType({current(name): str(text) for name, text in mappings.items()}),
        midi_parameters=MappingProxyType({number: current(str(name)) for number, name in by_controller.items()}),
    )
    return Resolved(config=config, origins=origins, notices=tuple(notices))


def _without(
    left_out: Mapping[str, str], given: Mapping[Any, Any], notices: list[str], by_value: bool = False
) -> dict[Any, Any]:
    """Return the entries without those whose key, or value, is the name of a parameter that is left out. Each is told once."""
    kept: dict[Any, Any] = {}
    for key, value in given.items():
        sentence = left_out.get(str(value if by_value else key))
        if sentence is None:
            kept[key] = value
        elif sentence not in notices:
            notices.append(sentence)
    return kept


def _section(file_values: Mapping[str, Any], key: str, expected: str) -> Mapping[str, Any]:
    section: Any = file_values.get(key) or {}
    if not isinstance(section, dict):
        raise ConfigError(f"{key} is {shown(section)}; {expected}.")
    return cast(dict[str, Any], section)


def parse_start_value(known: Mapping[str, Parameter], name: str, given: object) -> Value:
    """Return a parameter's start value. Raises ConfigError for an unknown name, the wrong kind or a value out of range."""
    parameter = known.get(name)
    if parameter is None:
        raise ConfigError(
            f"There is no parameter '{shortened(name)}'.{nearest_name(str(name), settable(known.values()))}"
        )
    if parameter.happens:
        raise ConfigError(f"{name} is an event, which can be given only while the show runs; leave it out.")
    value = parameter.parse(given)
    if parameter.clip(value) != value:
        raise parameter.out_of_range(given)
    return value


def parse_setting(name: str, given: object) -> Any:
    """Return `given`, which may be text, in the kind of the setting `name`. Raises ConfigError."""
    kind = setting_kind(name)
    if kind is tuple:
        items = [given] if isinstance(given, str) else given
        if isinstance(items, (list, tuple)) and all(isinstance(i, str) and i for i in cast(list[Any], items)):
            return tuple(cast(list[str], items))
        raise ConfigError(f"{name} is {shown(given)}; a list of texts was expected, e.g. [first, second].")
    if kind is str:
        if isinstance(given, str) and given:
            return given
        # A number that names something, in a file.
        if type(given) is int and int in typing.get_args(HINTS[name]):
            return str(given)
        raise ConfigError(f"{name} is {shown(given)}; a text was expected.")
    if kind is bool:
        if isinstance(given, bool):
            return given
        raise ConfigError(f"{name} is {shown(given)}; true or false was expected.")
    return _parse_number(name, given, kind)


def _parse_number(name: str, given: object, kind: type) -> float | int:
    low, high = SETTINGS[name].metadata["low"], SETTINGS[name].metadata["high"]
    expected = f"{'a whole number' if kind is int else 'a number'} from {low:g}" + (
        f" to {high:g}" if math.isfinite(high) else " up"
    )
    sentence = f"{name} is {shown(given)}; {expected} was expected."
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        raise ConfigError(sentence)
    try:
        number = float(given)
    except (ValueError, OverflowError) as error:
        raise ConfigError(sentence) from error
    if not (math.isfinite(number) and low <= number <= high) or (kind is int and not number.is_integer()):
        raise ConfigError(sentence)
    return kind(number)


def describe(resolved: Resolved, parameters: Iterable[Parameter]) -> list[str]:
    """Return one line a setting, for --dry-run; `*` marks what is not the default."""
    default, lines = LiveConfig(), list[str]()
    for name in SETTINGS:
        value, origin = getattr(resolved.config, name), resolved.origins.get(name, "default")
        differs = value != getattr(default, name)
        text = ", ".join(map(shown_address, value)) if setting_kind(name) is tuple else value
        lines.append(_line(name, SETTINGS[name].metadata["empty"] if text in (None, "") else text, origin, differs))
    lines.append(f"  {CONTROLS}:")
    for parameter in settable(parameters).values():
        value = resolved.config.controls.get(parameter.name, parameter.default)
        origin = resolved.origins.get(parameter.name, "default")
        lines.append(_line("  " + parameter.name, value, origin, value != parameter.default))
    if resolved.config.mappings:
        lines += [f"  {MAPPINGS}:", *(f"*   {name}: {text}" for name, text in resolved.config.mappings.items())]
    if resolved.config.midi_parameters:
        lines += [
            f"  {MIDI_PARAMETERS}:",
            *(f"*   {number}: {name}" for number, name in resolved.config.midi_parameters.items()),
        ]
    return lines


def _line(name: str, value: Any, origin: Origin, differs: bool) -> str:
    source = f"  ({origin})" if origin != "default" else ""
    return f"{'*' if differs else ' '} {name + ':':<14} {value}{source}"
