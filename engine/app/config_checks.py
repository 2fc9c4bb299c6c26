"""What is checked of a configuration before anything is opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from engine.app.config import LiveConfig
from engine.audio.input_layout import check_model_input
from engine.audio.sources.input_specs import input_names, parse_inputs
from engine.audio.sources.spec import WITH_TRACKS, SourceSpec
from engine.control.modulation.input_names import reserved_names
from engine.control.modulation.modulator import Modulator
from engine.control.parameter import Parameter
from engine.control.remotes.midi.controller_folder import Found, check_given, read_given
from engine.control.remotes.midi.midi_remote import check_controllers
from engine.control.remotes.midi.ports import MIDI_APIS
from engine.control.remotes.osc_senders import parse_networks
from engine.control.remotes.remote_access import locked_names
from engine.core.errors import ConfigError


def check_directions(
    config: LiveConfig,
    parameters: Iterable[Parameter],
    sources: Sequence[str] | None = None,
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Raise ConfigError for faulty inputs and mappings and for what remotes cannot have, before anything is opened.

    `sources` are the sounds of a rendering. Return the notice, of those in `left_out`, for each control that
    remote_lock or a controller file names and that is no parameter of the model.
    """
    table = {parameter.name: parameter for parameter in parameters}
    names = input_names(parse_inputs(config.source if sources is None else sources, reserved_names(table)))
    if config.model_input:
        check_model_input(config.model_input, names)
    Modulator(table.values(), config.mappings, sound_inputs=names)
    parse_networks(config.osc_allow)
    locked = locked_names(config.remote_lock, table, left_out)
    given = _check_midi(config, table, locked, left_out)
    assigned = [assignment.parameter for found in given for assignment in found.file.assignments]
    return tuple(dict.fromkeys(left_out[name] for name in (*locked, *assigned) if name in left_out))


def _check_midi(
    config: LiveConfig, table: Mapping[str, Parameter], locked: Sequence[str], left_out: Mapping[str, str]
) -> Sequence[Found]:
    """Return the controller files that were given."""
    if config.midi_api not in MIDI_APIS:
        raise ConfigError(f"midi_api is '{config.midi_api}'; {' or '.join(MIDI_APIS)} was expected.")
    given = read_given(config.controller)
    check_given(given, table, locked, left_out)
    if config.controller and not config.midi:
        raise ConfigError("controller is given and no MIDI port is; add --midi all, or leave --controller out.")
    if not config.midi:
        return given
    check_controllers(config.midi_parameters, table)
    for number, name in config.midi_parameters.items():
        if name in locked:
            raise ConfigError(
                f"midi_parameters gives {name} to controller {number} and remote_lock locks it; take it out of one of them."
            )
    return given


def check_track(track: str | int | None, specs: Sequence[SourceSpec]) -> None:
    """Raise ConfigError for a track of what has none."""
    if track and not any(spec.kind in WITH_TRACKS for spec in specs):
        sound = ", ".join(spec.shown for spec in specs) or "the default source"
        raise ConfigError(
            f"track is '{track}', and {sound} has no tracks; leave --track out, or give a file or an address with --source."
        )
