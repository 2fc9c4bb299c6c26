"""What drives a knob: an expression of the sound, the beat and time, such as `0.2 + 0.6 * hit`, read once and called often.

Nothing is evaluated as Python. The text is parsed, and every part of it must be in the closed set below; what it becomes is a
tree of closures over numbers. simpleeval, the library for this, walks the parsed tree again at each evaluation and finds an
unknown name only then; here a mistake is one sentence before the show begins.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.core import shaping_functions
from engine.core.errors import ConfigError, nearest_name

LONGEST_TEXT = 500
DEEPEST = 40
"""So many operators, functions and brackets may stand within one another."""

Term = Callable[["Moment"], float]


@dataclass(slots=True)
class Moment:
    """What expressions may read, at one moment of the show. One is filled anew for each moment."""

    value: float = 0.0
    """The knob's own, as it was given."""
    level: float = 0.0
    low: float = 0.0
    mid: float = 0.0
    high: float = 0.0
    hit: float = 0.0
    """Strength of the newest hit, decayed since."""
    hits: float = 0.0
    beat: float = 0.0
    """Place between two beats, from 0 up to 1; so is `bar` in the bar. Both rest at 0 while no tempo is known."""
    bar: float = 0.0
    beats: float = 0.0
    tempo: float = 0.0
    time_s: float = 0.0
    features: tuple[float, ...] = field(default=())


NAMES: Mapping[str, Term] = MappingProxyType({
    "value": lambda moment: moment.value,
    "level": lambda moment: moment.level,
    "low": lambda moment: moment.low,
    "mid": lambda moment: moment.mid,
    "high": lambda moment: moment.high,
    "hit": lambda moment: moment.hit,
    "hits": lambda moment: moment.hits,
    "beat": lambda moment: moment.beat,
    "bar": lambda moment: moment.bar,
    "beats": lambda moment: moment.beats,
    "tempo": lambda moment: moment.tempo,
    "time_s": lambda moment: moment.time_s,
    "turn": lambda moment: math.tau,
    "pi": lambda moment: math.pi,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Function:
    """A function of numbers alone, and how many it takes."""

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
"""Those of numbers alone. `lfo(hz)` reads the time and `feature(number)` the model's features."""
OF_THE_MOMENT: Mapping[str, str] = MappingProxyType({"lfo": "hz", "feature": "number"})

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
_WHAT_IS_MEANT = "Numbers, + - * / ** %, comparisons, and, or, not, x if y else z, names and functions are known"


def parse_expression(text: str, parameter: str) -> Term:
    """Return what computes `text`, the expression that drives `parameter`. Raises ConfigError for what is unknown or unsafe.

    What is returned raises ArithmeticError or ValueError where there is no result, as in a division by zero, and may return
    what is not finite.
    """
    text = " ".join(text.split())
    if len(text) > LONGEST_TEXT:
        raise _refusal(parameter, text, f"has {len(text)} characters; {LONGEST_TEXT} are the most")
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it cannot be read"
        raise _refusal(parameter, text, f"is no expression ({reason}); write one like 0.2 + 0.6 * hit") from error
    return _Reader(parameter, text).term(tree.body, 0)


def _refusal(parameter: str, text: str, what: str) -> ConfigError:
    shown = text if len(text) <= 60 else text[:57] + "..."
    return ConfigError(f"The mapping of {parameter}, '{shown}', {what}.")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the parsed parts of one expression into closures."""

    parameter: str
    text: str

    def term(self, node: ast.expr, depth: int) -> Term:
        if depth > DEEPEST:
            raise _refusal(self.parameter, self.text, f"is nested more than {DEEPEST} deep; make it simpler")
        match node:
            case ast.Constant():
                return self._number(node.value)
            case ast.Name():
                return self._name(node.id)
            case ast.BinOp() if type(node.op) in _OPERATORS:
                call = _OPERATORS[type(node.op)]
                left, right = self.term(node.left, depth + 1), self.term(node.right, depth + 1)
                return lambda moment: call(left(moment), right(moment))
            case ast.UnaryOp():
                return self._unary(node, depth)
            case ast.BoolOp():
                terms = [self.term(value, depth + 1) for value in node.values]
                if isinstance(node.op, ast.And):
                    return lambda moment: float(all(term(moment) for term in terms))
                return lambda moment: float(any(term(moment) for term in terms))
            case ast.Compare() if all(type(op) in _COMPARISONS for op in node.ops):
                return self._comparison(node, depth)
            case ast.IfExp():
                test, then, other = (self.term(part, depth + 1) for part in (node.test, node.body, node.orelse))
                return lambda moment: then(moment) if test(moment) else other(moment)
            case ast.Call(func=ast.Name(id=name)):
                return self._call(name, node, depth)
            case _:
                what = _source(self.text, node)
                raise _refusal(self.parameter, self.text, f"holds '{what}', which is not allowed. {_WHAT_IS_MEANT}")

    def _number(self, value: object) -> Term:
        if not isinstance(value, (int, float)):
            raise _refusal(self.parameter, self.text, f"holds {value!r}, which is no number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise _refusal(self.parameter, self.text, "holds a number too large to count with")
        return lambda moment: number

    def _name(self, name: str) -> Term:
        if name in NAMES:
            return NAMES[name]
        if name in FUNCTIONS or name in OF_THE_MOMENT:
            raise _refusal(self.parameter, self.text, f"names the function '{name}' without its brackets")
        near = nearest_name(name, NAMES)
        raise _refusal(
            self.parameter, self.text, f"names '{name}', which there is not.{near} Known are {', '.join(NAMES)}"
        )

    def _unary(self, node: ast.UnaryOp, depth: int) -> Term:
        operand = self.term(node.operand, depth + 1)
        match node.op:
            case ast.USub():
                return lambda moment: -operand(moment)
            case ast.UAdd():
                return operand
            case ast.Not():
                return lambda moment: float(not operand(moment))
            case _:
                raise _refusal(self.parameter, self.text, f"holds '~', which is not allowed. {_WHAT_IS_MEANT}")

    def _comparison(self, node: ast.Compare, depth: int) -> Term:
        terms = [self.term(part, depth + 1) for part in (node.left, *node.comparators)]
        calls = [_COMPARISONS[type(op)] for op in node.ops]
        if len(calls) == 1:
            (left, right), call = terms, calls[0]
            return lambda moment: float(call(left(moment), right(moment)))
        pairs = list(zip(calls, terms, terms[1:], strict=False))
        return lambda moment: float(all(call(left(moment), right(moment)) for call, left, right in pairs))

    def _call(self, name: str, node: ast.Call, depth: int) -> Term:
        known = {n: function.arguments for n, function in FUNCTIONS.items()} | dict(OF_THE_MOMENT)
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
        return _of_the_moment(name, terms[0]) if name in OF_THE_MOMENT else _applied(function.call, terms)


def _applied(call: Callable[..., float], terms: list[Term]) -> Term:
    """Return `call` of what the terms give; written out for few, since a list a call costs more than the call."""
    match terms:
        case [one]:
            return lambda moment: call(one(moment))
        case [one, two]:
            return lambda moment: call(one(moment), two(moment))
        case [one, two, three]:
            return lambda moment: call(one(moment), two(moment), three(moment))
        case _:
            return lambda moment: call(*[term(moment) for term in terms])


def _of_the_moment(name: str, argument: Term) -> Term:
    if name == "lfo":
        return lambda moment: 0.5 + 0.5 * math.sin(math.tau * math.fmod(argument(moment) * moment.time_s, 1.0))
    return lambda moment: _feature(moment.features, argument(moment))


def _feature(features: tuple[float, ...], number: float) -> float:
    """Return one of the model's features, counted from 0. Raises ValueError where the model has none of that number."""
    if not 0 <= number < len(features):
        raise ValueError(f"the model has no feature {number:g}")
    return features[int(number)]


def _source(text: str, node: ast.AST) -> str:
    """Return the piece of the text that `node` was read from, shortened."""
    piece = ast.get_source_segment(text, node) or type(node).__name__
    return piece if len(piece) <= 30 else piece[:27] + "..."
