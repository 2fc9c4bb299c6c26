"""From the knobs as they were given to those that a picture is made with: glides, smoothing, then what drives them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.audio_features import AudioFeatures
from engine.control.modulation.expression import Moment, Term, parse_expression
from engine.control.modulation.smoothing import Glide, Smoothing, Values
from engine.control.parameter import Parameter, Value
from engine.core.errors import ConfigError, nearest_name

# F feature bands

BY_HAND = frozenset({"flash_guard"})
"""What protects people is switched knowingly, never by the sound."""
BEFOREHAND = frozenset({"tempo_bpm", "look_ahead_ms", "smoothing_ms"})
"""What expressions are worked out with cannot come out of one."""


def silent(line: str) -> None:
    """Tell nobody."""


class Modulator:
    """The values of one consumer, a function of what it is given; the step thread and the presenter have each their own.

    `adopt` and `glide` may be called from another thread than `values`.
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        mappings: Mapping[str, object] | None = None,
        notify: Callable[[str], None] = silent,
    ) -> None:
        """`mappings` holds an expression a parameter, see engine/control/modulation/expression.py. Raises ConfigError for a faulty one."""
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self._terms = {name: _term(self._parameters, name, text) for name, text in (mappings or {}).items()}
        self._reads_features = any("feature" in str(text) for text in (mappings or {}).values())
        self._notify = notify
        self._faults: dict[str, int] = {}
        self._moment = Moment()
        self._smoothing = Smoothing()
        self._reached: Values = {}
        self._reached_s = 0.0
        self._glide: Glide | None = None
        self._asked_glide_s: float | None = None

    @property
    def faults(self) -> Mapping[str, int]:
        """How often each parameter's expression had no result, so that the knob's own value was taken."""
        return self._faults

    def adopt(self, parameters: Iterable[Parameter]) -> None:
        """Go on with the parameters of another model; what drives a parameter that it lacks rests."""
        self._parameters = {parameter.name: parameter for parameter in parameters}

    def glide(self, duration_s: float) -> None:
        """Let all continuous knobs take `duration_s` from where they are to whatever is given from now on."""
        self._asked_glide_s = duration_s

    def values(
        self, given: Values, audio_features: AudioFeatures, features_F: NDArray[np.float32], time_s: float
    ) -> Values:
        """Return `given` at `time_s` of the show: gliding, smoothed, driven by `pulse` and features, and within range."""
        parameters = self._parameters
        reached = self._smoothing.values(self._glided(given, parameters, time_s), parameters, time_s)
        self._reached, self._reached_s = reached, time_s
        if not self._terms:
            return reached
        moment = self._moment
        _fill(moment, audio_features, float(reached.get("hit_decay_ms", 150.0)), time_s)
        if self._reads_features:
            moment.features = tuple(features_F.tolist())
        driven = dict(reached)
        for name, term in self._terms.items():
            if name in driven and name in parameters:
                moment.value = float(driven[name])
                driven[name] = self._driven(parameters[name], term, moment, reached[name])
        return driven

    def _glided(self, given: Values, parameters: Mapping[str, Parameter], time_s: float) -> Values:
        asked_s, self._asked_glide_s = self._asked_glide_s, None
        if asked_s is not None and self._reached:
            # The presenter's time may run backwards a little, where a way of no length would have no share.
            self._glide = Glide(self._reached, self._reached_s, asked_s) if asked_s > 0.0 else None
        if self._glide and self._glide.is_over(time_s):
            self._glide = None
        return self._glide.values(given, parameters, time_s) if self._glide else given

    def _driven(self, parameter: Parameter, term: Term, moment: Moment, own: Value) -> Value:
        try:
            number = term(moment)
        except (ArithmeticError, ValueError) as error:
            return self._fault(parameter, str(error), own)
        if not math.isfinite(number):
            return self._fault(parameter, f"it is {number}", own)
        if parameter.kind == "bool":
            return number > 0.5
        return parameter.clip(number if parameter.kind == "float" else round(number))

    def _fault(self, parameter: Parameter, reason: str, own: Value) -> Value:
        if parameter.name not in self._faults:
            self._notify(
                f"The mapping of {parameter.name} has no result here ({reason}); "
                "the knob's own value is taken wherever that is so."
            )
        self._faults[parameter.name] = self._faults.get(parameter.name, 0) + 1
        return own


def _term(parameters: Mapping[str, Parameter], name: str, text: object) -> Term:
    parameter = parameters.get(name)
    if parameter is None:
        raise ConfigError(f"mappings drives '{name}', which is no parameter.{nearest_name(str(name), parameters)}")
    if parameter.happens:
        raise ConfigError(
            f"mappings drives {name}, which is given rather than set; drive a parameter that has a value."
        )
    if name in BY_HAND:
        raise ConfigError(f"mappings drives {name}, which is switched by hand alone; leave it out.")
    if name in BEFOREHAND:
        raise ConfigError(f"mappings drives {name}, which is known before expressions are worked out; leave it out.")
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise ConfigError(f"The mapping of {name} is {text!r}; an expression was expected, e.g. 0.2 + 0.6 * hit.")
    return parse_expression(str(text), name)


def _fill(moment: Moment, audio_features: AudioFeatures, hit_decay_ms: float, time_s: float) -> None:
    moment.level, moment.low, moment.mid, moment.high = (
        audio_features.level,
        audio_features.low,
        audio_features.mid,
        audio_features.high,
    )
    moment.hit = audio_features.hit(hit_decay_ms)
    moment.hits = float(audio_features.hits)
    moment.beat, moment.bar, moment.beats = audio_features.beat_phase, audio_features.bar_phase, audio_features.beats
    moment.tempo, moment.time_s = audio_features.tempo_bpm, time_s
