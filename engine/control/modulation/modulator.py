"""From the values that were set to the values of a frame: glides and smoothing first, then the mappings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.audio_features import AudioFeatures
from engine.control.former_names import FormerNames, former_names
from engine.control.modulation.expression import FORMER_VARIABLES, Inputs, Term, parse_expression
from engine.control.modulation.smoothing import Glide, Smoothing, Values
from engine.control.parameter import Parameter, Value
from engine.control.parameter_table import ShowValues
from engine.core.errors import ConfigError, nearest_name
from engine.core.structured import shortened, shown

# F feature bands


class Modulator:
    """The values for one consumer; step loop and present loop have one each.

    `replace_parameters` and `glide` may be called from another thread than `values`.
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        mappings: Mapping[str, object] | None = None,
        notify: Callable[[str], None] | None = None,
        sound_inputs: Sequence[str] = (),
    ) -> None:
        """`mappings` holds expressions by parameter, see engine/control/modulation/expression.py, which may name
        `sound_inputs`; None: no notices.

        Raises ConfigError for a faulty mapping.
        """
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self._sound_inputs = tuple(sound_inputs)
        self._mappings: Mapping[str, object] = {}
        self._terms: Mapping[str, Term] = {}
        self._notify = notify
        self._faults: dict[str, int] = {}
        self.replace_mappings(mappings or {})
        self._inputs = Inputs()
        self._smoothing = Smoothing()
        self._reached: Values = {}
        self._reached_s = 0.0
        self._glide: Glide | None = None
        self._asked_glide_s: float | None = None

    @property
    def faults(self) -> Mapping[str, int]:
        """How often each parameter's expression had no result, so that the parameter kept its own value."""
        return self._faults

    def replace_parameters(self, parameters: Iterable[Parameter]) -> None:
        """Take the parameters of another model; a mapping of a parameter that it lacks waits until it is back."""
        self._parameters = {parameter.name: parameter for parameter in parameters}

    def replace_mappings(self, mappings: Mapping[str, object], may_wait: bool = False) -> None:
        """Take other expressions in place of these. Raises ConfigError for a faulty one; nothing changes then.

        `may_wait` says whether one may drive a parameter that the model lacks, until it is back. One that stays may in any case.
        """
        kept = {
            name: self._terms[name]
            for name, text in mappings.items()
            if name in self._terms and self._mappings.get(name) == text
        }
        others = {name: text for name, text in mappings.items() if name not in kept}
        checked = {name: text for name, text in others.items() if not may_wait or name in self._parameters}
        read = _parse_mappings(self._parameters, checked, self._notify, self._sound_inputs)
        for name in others.keys() - checked.keys():
            read[name] = parse_expression(str(others[name]), name, None, self._sound_inputs)
        # One assignment each: `values` may run in another thread meanwhile.
        self._reads_features = any("feature" in str(text) for text in mappings.values())
        self._terms = {**kept, **read}
        self._mappings = dict(mappings)
        self._faults = {name: count for name, count in list(self._faults.items()) if name in kept}

    def glide(self, duration_s: float) -> None:
        """Let all continuous parameters take `duration_s` from their values of now to those set from now on."""
        self._asked_glide_s = duration_s

    def values(
        self, given: Values, audio_features: AudioFeatures, features_F: NDArray[np.float32], time_s: float
    ) -> Values:
        """Return `given` at `time_s` of the show: gliding, smoothed, driven by the mappings, and within range."""
        parameters = self._parameters
        reached = self._smoothing.values(self._glided(given, parameters, time_s), parameters, time_s)
        self._reached, self._reached_s = reached, time_s
        if not self._terms:
            return reached
        inputs = self._inputs
        _fill(inputs, audio_features, float(ShowValues(reached).onset_decay_ms), time_s)
        if self._reads_features:
            inputs.features = tuple(features_F.tolist())
        driven = dict(reached)
        for name, term in self._terms.items():
            if name in driven and name in parameters:
                inputs.value = float(driven[name])
                driven[name] = self._driven(parameters[name], term, inputs, reached[name])
        return driven

    def _glided(self, given: Values, parameters: Mapping[str, Parameter], time_s: float) -> Values:
        asked_s, self._asked_glide_s = self._asked_glide_s, None
        if asked_s is not None and self._reached:
            # The time of the present loop may run backwards a little, where a glide of no length would divide by zero.
            self._glide = Glide(self._reached, self._reached_s, asked_s) if asked_s > 0.0 else None
        if self._glide and self._glide.is_over(time_s):
            self._glide = None
        return self._glide.values(given, parameters, time_s) if self._glide else given

    def _driven(self, parameter: Parameter, term: Term, inputs: Inputs, own: Value) -> Value:
        try:
            number = term(inputs)
        except (ArithmeticError, ValueError) as error:
            return self._fault(parameter, str(error), own)
        if not math.isfinite(number):
            return self._fault(parameter, f"it is {number}", own)
        if parameter.kind == "bool":
            return number > 0.5
        return parameter.clip(number if parameter.kind == "float" else round(number))

    def _fault(self, parameter: Parameter, reason: str, own: Value) -> Value:
        if self._notify and parameter.name not in self._faults:
            self._notify(
                f"The mapping of {parameter.name} has no result at the moment ({reason}); "
                f"{parameter.name} keeps its own value while that is so."
            )
        self._faults[parameter.name] = self._faults.get(parameter.name, 0) + 1
        return own


def _parse_mappings(
    parameters: Mapping[str, Parameter],
    mappings: Mapping[str, object],
    notify: Callable[[str], None] | None,
    sound_inputs: Sequence[str],
) -> dict[str, Term]:
    former_parameters = FormerNames(former_names(parameters.values()), notify)
    former_variables = FormerNames(FORMER_VARIABLES, notify)
    current = {former_parameters.current(name): text for name, text in mappings.items()}
    return {
        name: parse_expression(_text(parameters, name, text), name, former_variables, sound_inputs)
        for name, text in current.items()
    }


def _text(parameters: Mapping[str, Parameter], name: str, text: object) -> str:
    """Return the expression of a parameter that can be driven."""
    parameter = parameters.get(name)
    if parameter is None:
        meant = nearest_name(str(name), parameters) or " --help lists all."
        raise ConfigError(f"mappings drives '{shortened(name)}', which is no parameter.{meant}")
    if parameter.happens:
        raise ConfigError(f"mappings drives {name}, which has no value to set; drive a parameter that has one.")
    if parameter.not_mapped:
        raise ConfigError(f"mappings drives {name}, {parameter.not_mapped}; leave it out.")
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise ConfigError(
            f"The mapping of {name} is {shown(text)}; an expression was expected, e.g. 0.2 + 0.6 * onset."
        )
    return str(text)


def _fill(inputs: Inputs, audio_features: AudioFeatures, onset_decay_ms: float, time_s: float) -> None:
    inputs.level, inputs.low, inputs.mid, inputs.high = (
        audio_features.level,
        audio_features.low,
        audio_features.mid,
        audio_features.high,
    )
    inputs.sound_inputs, inputs.onset_decay_ms = audio_features.inputs, onset_decay_ms
    inputs.onset = audio_features.onset_envelope(onset_decay_ms)
    inputs.onsets = float(audio_features.onsets)
    inputs.beat, inputs.bar, inputs.beats = audio_features.beat_phase, audio_features.bar_phase, audio_features.beats
    inputs.tempo, inputs.time_s = audio_features.tempo_bpm, time_s
