"""Expressions that drive parameters from the sound, the beat and time, such as `0.2 + 0.6 * onset`: parsed once, called often.

Nothing is evaluated as Python. The text is parsed, every part of it must be in the closed set below, and a tree of closures over
numbers comes out. simpleeval, the usual library, walks the parsed tree again at each evaluation and finds an unknown name only
then; here a mistake is one sentence before the show starts.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.audio.features.audio_features import SILENCE, AudioFeatures
from engine.control.former_names import FormerNames
from engine.core import shaping_functions
from engine.core.errors import ConfigError, nearest_name
from engine.core.structured import shown

LONGEST_TEXT = 500
DEEPEST = 40
"""Deepest nesting of operators, functions and brackets."""

Term = Callable[["Inputs"], float]


@dataclass(slots=True)
class Inputs:
    """The variables of all expressions at one point in time. A modulator fills one again for each frame."""

    value: float = 0.0
    """The parameter's own value, as it was set."""
    level: float = 0.0
    low: float = 0.0
    mid: float = 0.0
    high: float = 0.0
    onset: float = 0.0
    """Strength of the newest onset, decayed since."""
    onsets: float = 0.0
    beat: float = 0.0
    """Phase between two beats, from 0 up to 1, like `bar` in the bar. Both are 0 while no tempo is known."""
    bar: float = 0.0
    beats: float = 0.0
    tempo: float = 0.0
    time_s: float = 0.0
    features: tuple[float, ...] = field(default=())
    sound_inputs: Mapping[str, AudioFeatures] = field(default_factory=dict[str, AudioFeatures])
    """The audio features of the show's named inputs."""
    onset_decay_ms: float = 1.0


NAMES: Mapping[str, Term] = MappingProxyType({
    "value": lambda inputs: inputs.value,
    "level": lambda inputs: inputs.level,
    "low": lambda inputs: inputs.low,
    "mid": lambda inputs: inputs.mid,
    "high": lambda inputs: inputs.high,
    "onset": lambda inputs: inputs.onset,
    "onsets": lambda inputs: inputs.onsets,
    "beat": lambda inputs: inputs.beat,
    "bar": lambda inputs: inputs.bar,
    "beats": lambda inputs: inputs.beats,
    "tempo": lambda inputs: inputs.tempo,
    "time_s": lambda inputs: inputs.time_s,
    "turn": lambda inputs: math.tau,
    "pi": lambda inputs: math.pi,
})  # fmt: skip
INPUT_VARIABLES: Mapping[str, Callable[[AudioFeatures, float], float]] = MappingProxyType({
    "level": lambda features, decay_ms: features.level,
    "low": lambda features, decay_ms: features.low,
    "mid": lambda features, decay_ms: features.mid,
    "high": lambda features, decay_ms: features.high,
    "onset": lambda features, decay_ms: features.onset_envelope(decay_ms),
    "onsets": lambda features, decay_ms: float(features.onsets),
})  # fmt: skip
"""What a named input has, as in `drums.onset`: of its audio features and the decay of onsets."""
FORMER_VARIABLES: Mapping[str, str] = MappingProxyType({"hit": "onset", "hits": "onsets"})
"""Names of now by names of the version before, which work until the next version."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of numbers alone, and how many arguments it takes."""

    call: Callable[..., float]
    arguments: str
    fewest: int
    most: int


FUNCTIONS: Mapping[str, Function] = MappingProxyType({
    "sin": Function(math.sin, "x", 1, 1),
    "cos": Function(math.cos, "x", 1, 1),
    "abs": Function(math.fabs, "x", 1, 1),
    "sqrt": Function(math.sqrt, "x", 1, 1),
    "floor": Function(shaping_functions.floor, "x", 1, 1),
    "fract": Function(shaping_functions.fract, "x", 1, 1),
    "pow": Function(math.pow, "x, power", 2, 2),
    "min": Function(min, "x, y, ...", 2, 16),
    "max": Function(max, "x, y, ...", 2, 16),
    "clamp": Function(shaping_functions.clamp, "x, low, high", 3, 3),
    "mix": Function(shaping_functions.mix, "x, y, share", 3, 3),
    "step": Function(shaping_functions.step, "edge, x", 2, 2),
    "smoothstep": Function(shaping_functions.smoothstep, "low, high, x", 3, 3),
    "square": Function(shaping_functions.square, "phase", 1, 1),
    "triangle": Function(shaping_functions.triangle, "phase", 1, 1),
    "saw": Function(shaping_functions.fract, "phase", 1, 1),
    "noise": Function(shaping_functions.noise, "x", 1, 1),
})  # fmt: skip
"""Functions of numbers alone. `lfo(hz)` reads the time and `feature(number)` the model's features."""
INPUT_FUNCTIONS: Mapping[str, str] = MappingProxyType({"lfo": "hz", "feature": "number"})

_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = MappingProxyType({
    ast.Add: lambda x, y: x + y,
    ast.Sub: lambda x, y: x - y,
    ast.Mult: lambda x, y: x * y,
    ast.Div: lambda x, y: x / y,
    ast.Mod: lambda x, y: x % y,
    ast.Pow: math.pow,
})  # fmt: skip
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = MappingProxyType({
    ast.Lt: lambda x, y: x < y,
    ast.LtE: lambda x, y: x <= y,
    ast.Gt: lambda x, y: x > y,
    ast.GtE: lambda x, y: x >= y,
    ast.Eq: lambda x, y: x == y,
    ast.NotEq: lambda x, y: x != y,
})  # fmt: skip
_ALLOWED = "Numbers, + - * / ** %, comparisons, and, or, not, x if y else z, variables and functions are allowed"


def parse_expression(
    text: str, parameter: str, former_variables: FormerNames | None = None, sound_inputs: Sequence[str] = ()
) -> Term:
    """Return a function that evaluates `text`, the expression that drives `parameter` in a show with these named inputs.

    Raises ConfigError for what is unknown or unsafe. The function raises ArithmeticError or ValueError where there is no result,
    as in a division by zero, and its result may be infinite or not a number.
    """
    text = " ".join(text.split())
    if len(text) > LONGEST_TEXT:
        raise _refusal(parameter, text, f"has {len(text)} characters; {LONGEST_TEXT} are the most")
    try:
        with warnings.catch_warnings():
            # Of numbers that run into words, as in "1if 2else 3".
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it cannot be read"
        raise _refusal(parameter, text, f"is no expression ({reason}); write one like 0.2 + 0.6 * onset") from error
    reader = _Reader(parameter, text, former_variables or FormerNames(FORMER_VARIABLES), tuple(sound_inputs))
    term = reader.term(tree.body, 0)
    reader.check_constants(tree.body)
    return term


def _refusal(parameter: str, text: str, what: str) -> ConfigError:
    shown = text if len(text) <= 60 else text[:57] + "..."
    return ConfigError(f"The mapping of {parameter}, '{shown}', {what}.")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the parsed parts of one expression into closures."""

    parameter: str
    text: str
    former_variables: FormerNames
    sound_inputs: tuple[str, ...]

    def term(self, node: ast.expr, depth: int) -> Term:
        if depth > DEEPEST:
            raise _refusal(self.parameter, self.text, f"is nested more than {DEEPEST} deep; make it simpler")
        match node:
            case ast.Constant():
                return self._number(node.value)
            case ast.Name():
                return self._name(node.id)
            case ast.Attribute(value=ast.Name(id=name)) if name not in NAMES:
                return self._input_variable(name, node.attr)
            case ast.BinOp() if type(node.op) in _OPERATORS:
                call = _OPERATORS[type(node.op)]
                left, right = self.term(node.left, depth + 1), self.term(node.right, depth + 1)
                return lambda inputs: call(left(inputs), right(inputs))
            case ast.UnaryOp():
                return self._unary(node, depth)
            case ast.BoolOp():
                terms = [self.term(value, depth + 1) for value in node.values]
                if isinstance(node.op, ast.And):
                    return lambda inputs: float(all(term(inputs) for term in terms))
                return lambda inputs: float(any(term(inputs) for term in terms))
            case ast.Compare() if all(type(op) in _COMPARISONS for op in node.ops):
                return self._comparison(node, depth)
            case ast.IfExp():
                test, then, other = (self.term(part, depth + 1) for part in (node.test, node.body, node.orelse))
                return lambda inputs: then(inputs) if test(inputs) else other(inputs)
            case ast.Call(func=ast.Name(id=name)):
                return self._call(name, node, depth)
            case _:
                what = _source(self.text, node)
                raise _refusal(self.parameter, self.text, f"holds '{what}', which is not allowed. {_ALLOWED}")

    def check_constants(self, node: ast.expr) -> None:
        """Raise ConfigError for a part that stands for a number and has none, such as 9**9**9 or 1/0."""
        if isinstance(node, ast.Constant):
            return
        if any(isinstance(part, ast.Name) and part.id not in FUNCTIONS for part in ast.walk(node)):
            for part in node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node):
                if isinstance(part, ast.expr):
                    self.check_constants(part)
            return
        try:
            is_finite = math.isfinite(self.term(node, 0)(Inputs()))
        except (ArithmeticError, ValueError):
            is_finite = False
        if not is_finite:
            raise _refusal(self.parameter, self.text, f"holds '{_source(self.text, node)}', which has no result")

    def _number(self, value: object) -> Term:
        if not isinstance(value, (int, float)):
            raise _refusal(self.parameter, self.text, f"holds {shown(value)}, which is no number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise _refusal(self.parameter, self.text, "holds a number too large to count with")
        return lambda inputs: number

    def _name(self, name: str) -> Term:
        name = self.former_variables.current(name)
        if name in NAMES:
            return NAMES[name]
        if name in FUNCTIONS or name in INPUT_FUNCTIONS:
            raise _refusal(self.parameter, self.text, f"names the function '{name}' without its brackets")
        if name in self.sound_inputs:
            raise _refusal(
                self.parameter, self.text, f"names the input '{name}' alone; write {name}.onset or {name}.level"
            )
        near = nearest_name(name, NAMES)
        raise _refusal(
            self.parameter, self.text, f"names '{name}', which does not exist.{near} Known are {', '.join(NAMES)}"
        )

    def _input_variable(self, name: str, variable: str) -> Term:
        if name not in self.sound_inputs:
            near, known = nearest_name(name, self.sound_inputs), ", ".join(self.sound_inputs)
            has = f"It has {known}" if known else "Its sound has no name; give it one, e.g. --source drums=mic"
            raise _refusal(self.parameter, self.text, f"names '{name}', which is no input of this show.{near} {has}")
        if variable not in INPUT_VARIABLES:
            near, known = nearest_name(variable, INPUT_VARIABLES), ", ".join(INPUT_VARIABLES)
            raise _refusal(
                self.parameter, self.text, f"names '{name}.{variable}', which no input has.{near} Each has {known}"
            )
        value = INPUT_VARIABLES[variable]
        return lambda inputs: value(inputs.sound_inputs.get(name, SILENCE), inputs.onset_decay_ms)

    def _unary(self, node: ast.UnaryOp, depth: int) -> Term:
        operand = self.term(node.operand, depth + 1)
        match node.op:
            case ast.USub():
                return lambda inputs: -operand(inputs)
            case ast.UAdd():
                return operand
            case ast.Not():
                return lambda inputs: float(not operand(inputs))
            case _:
                raise _refusal(self.parameter, self.text, f"holds '~', which is not allowed. {_ALLOWED}")

    def _comparison(self, node: ast.Compare, depth: int) -> Term:
        terms = [self.term(part, depth + 1) for part in (node.left, *node.comparators)]
        calls = [_COMPARISONS[type(op)] for op in node.ops]
        if len(calls) == 1:
            (left, right), call = terms, calls[0]
            return lambda inputs: float(call(left(inputs), right(inputs)))
        pairs = list(zip(calls, terms, terms[1:], strict=False))
        return lambda inputs: float(all(call(left(inputs), right(inputs)) for call, left, right in pairs))

    def _call(self, name: str, node: ast.Call, depth: int) -> Term:
        known = {n: function.arguments for n, function in FUNCTIONS.items()} | dict(INPUT_FUNCTIONS)
        if name not in known:
            near = nearest_name(name, known)
            raise _refusal(
                self.parameter,
                self.text,
                f"calls '{name}', which is no function here.{near} Known are {', '.join(known)}",
            )
        function = FUNCTIONS.get(name) or Function(math.fabs, known[name], 1, 1)
        if node.keywords or not function.fewest <= len(node.args) <= function.most:
            raise _refusal(
                self.parameter, self.text, f"calls {name} with the wrong arguments; it is {name}({known[name]})"
            )
        terms = [self.term(argument, depth + 1) for argument in node.args]
        return _input_function(name, terms[0]) if name in INPUT_FUNCTIONS else _applied(function.call, terms)


def _applied(call: Callable[..., float], terms: list[Term]) -> Term:
    """Return `call` of the results of `terms`; written out for few, since a list for each call costs more than the call."""
    match terms:
        case [one]:
            return lambda inputs: call(one(inputs))
        case [one, two]:
            return lambda inputs: call(one(inputs), two(inputs))
        case [one, two, three]:
            return lambda inputs: call(one(inputs), two(inputs), three(inputs))
        case _:
            return lambda inputs: call(*[term(inputs) for term in terms])


def _input_function(name: str, argument: Term) -> Term:
    if name == "lfo":
        return lambda inputs: 0.5 + 0.5 * math.sin(math.tau * math.fmod(argument(inputs) * inputs.time_s, 1.0))
    return lambda inputs: _feature(inputs.features, argument(inputs))


def _feature(features: tuple[float, ...], number: float) -> float:
    """Return one of the model's features, counted from 0. Raises ValueError where the model has none of that number."""
    if not 0 <= number < len(features):
        raise ValueError(f"the model has no feature {number:g}")
    return features[int(number)]


def _source(text: str, node: ast.AST) -> str:
    """Return the piece of the text that `node` was read from, shortened."""
    piece = ast.get_source_segment(text, node) or type(node).__name__
    return piece if len(piece) <= 30 else piece[:27] + "..."
