"""Parity: the difference between an exported graph and torch after many carried steps, states included."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.errors import ModelFileError
from engine.model.card import NEXT_SUFFIX, Parity
from export.verification.composed_frame import FrameComposer
from export.verification.graph import FLOAT_FRAME_OUTPUT, StepGraph

# T audio samples

PARITY_STEPS = 64
LEVELS_LIMIT = 1
"""Levels of 255 in the frame as shown: a value on the border of two levels may be rounded to either."""
COMPOSED_LEVELS_LIMIT, COMPOSED_SHARE = 2, 0.999
"""The same for composed frames, in so many of their pixels: the engine rounds a texture before it is lit, and torch does not."""
STATE_LIMIT = 1e-2
"""Difference of a state, relative to the largest value that it had."""
STATE_FLOOR = 1e-6
"""States that are smaller all the time are compared with this."""
CONTROL_REACH = 0.25
"""How far the controls of a batch slot go from their defaults towards the end of their range."""
BatchStep = Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]
"""Takes one step of a whole batch: all inputs by name -> all outputs by name."""
PROBE_SOUND = "rising tone, clicks, noise bursts and silence, made by formula"

# onnxruntime ships no types.
_runtime: Any = onnxruntime


def probe_sound(samples: int, rate_hz: int) -> NDArray[np.float32]:
    """Return a sound with what a show brings: a tone rising through the spectrum, clicks, noise bursts and silence."""
    time_s = np.arange(samples) / rate_hz
    rising = 0.5 * np.sin(2 * np.pi * (60.0 * time_s + 400.0 * time_s**2))
    noise = 0.3 * np.random.default_rng(0).standard_normal(samples) * (np.floor(time_s * 4) % 2)
    clicks = np.where(np.arange(samples) % (rate_hz // 3) < 8, 0.9, 0.0)
    silent = (time_s % 1.6) > 1.3
    return np.where(silent, 0.0, np.clip(rising + noise + clicks, -1.0, 1.0)).astype(np.float32)


def windows(
    sound_T: NDArray[np.float32], window_samples: int, hop_samples: int, steps: int
) -> list[NDArray[np.float32]]:
    """Return the windows that end at (k + 1) hops, with silence before the start."""
    padded = np.concatenate([np.zeros(window_samples, np.float32), sound_T])
    return [padded[(k + 1) * hop_samples : (k + 1) * hop_samples + window_samples] for k in range(steps)]


@dataclass(frozen=True, slots=True)
class MeasuredParity:
    """How far a graph is from torch: what the card records, and what decides whether the file is written."""

    recorded: Parity
    levels_max: int
    """Largest difference of the frames as shown, in levels of 255; of composed frames, that of all pixels but one in a thousand."""
    state_error: float
    """Largest difference of a state at any step, relative to the largest value that this state had."""
    levels_limit: int = LEVELS_LIMIT

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.recorded.frame_max) and np.isfinite(self.state_error))

    @property
    def within_limits(self) -> bool:
        """Whether frames and states are as close as the limits ask; bytes alone hide what is not finite."""
        return self.finite and self.levels_max <= self.levels_limit and self.state_error <= STATE_LIMIT


class Differences:
    """Collects the differences of a graph from torch, step by step."""

    def __init__(self, *, composed: bool = False, carried: bool = True) -> None:
        self._sound = PROBE_SOUND if carried else f"{PROBE_SOUND}; each step from the states of torch"
        self._share, self._limit = (COMPOSED_SHARE, COMPOSED_LEVELS_LIMIT) if composed else (1.0, LEVELS_LIMIT)
        self._steps, self._levels, self._frame_max, self._squares, self._last = 0, 0, 0.0, 0.0, 0.0
        self._apart: dict[str, float] = {}
        self._largest: dict[str, float] = {}

    def add(self, expected: Mapping[str, NDArray[Any]], came: Mapping[str, NDArray[Any]]) -> None:
        """Compare the outputs of one step, by name: frame, float frame and the next states."""
        self._steps += 1
        levels = expected["frame"].astype(np.int16) - came["frame"]
        self._levels = max(self._levels, int(np.quantile(np.abs(levels), self._share, method="lower")))
        difference = np.abs(came[FLOAT_FRAME_OUTPUT] - expected[FLOAT_FRAME_OUTPUT])
        # np.maximum, unlike max, lets a difference that is not a number through.
        self._frame_max = float(np.maximum(self._frame_max, difference.max()))
        self._squares += float(np.square(difference).mean())
        states = [name for name in expected if name.endswith(NEXT_SUFFIX)]
        now = {name: float(np.abs(came[name] - expected[name]).max()) for name in states}
        for name, apart in now.items():
            self._apart[name] = float(np.maximum(self._apart.get(name, 0.0), apart))
            self._largest[name] = max(self._largest.get(name, STATE_FLOOR), float(np.abs(expected[name]).max()))
        self._last = float(np.max(list(now.values()), initial=0.0))

    def measured(self) -> MeasuredParity:
        """Return the differences so far."""
        # Relative to the whole run: a state that has died away in silence is not an error.
        relative = [apart / self._largest[name] for name, apart in self._apart.items()]
        recorded = Parity(
            steps=self._steps,
            frame_max=self._frame_max,
            frame_rms=(self._squares / self._steps) ** 0.5,
            state_max=self._last,
            sound=self._sound,
        )
        return MeasuredParity(recorded, self._levels, float(np.max(relative, initial=0.0)), self._limit)


def measure_parity(graph: StepGraph, onnx_bytes: bytes, steps: int = PARITY_STEPS) -> MeasuredParity:
    """Do as `compare_with_torch` does with ONNX Runtime."""
    session = _runtime.InferenceSession(onnx_bytes, session_options(), providers=["CPUExecutionProvider"])
    names = graph.output_names
    return compare_with_torch(graph, lambda inputs: dict(zip(names, session.run(names, inputs), strict=True)), steps)


def compare_with_torch(graph: StepGraph, take_step: BatchStep, steps: int = PARITY_STEPS) -> MeasuredParity:
    """Play `steps` steps in torch and by `take_step`, each carrying its own states, and report the differences.

    Where they part because rounding is amplified (`parts_by_rounding`), each of `take_step` begins with torch's states.

    In a batch every slot has its own sound, noise and controls, and torch steps each slot alone: an input that reached another
    slot would be a difference.
    """
    measured = _measured(graph, take_step, steps, carried=True)
    if measured.within_limits or not parts_by_rounding(graph):
        return measured
    return _measured(graph, take_step, steps, carried=False)


def parts_by_rounding(graph: StepGraph) -> bool:
    """Tell whether a model is made to amplify rounding, and carried steps of torch in 32 and in 64 bits part by more than an export may."""
    if not graph.model.amplifies_rounding:
        return False
    own = _rounding(StepGraph(graph.model, controls=graph.control_names))
    return own is not None and not own.within_limits


def _measured(graph: StepGraph, take_step: BatchStep, steps: int, *, carried: bool) -> MeasuredParity:
    alone = graph if graph.batch == 1 else StepGraph(graph.model, controls=graph.control_names)
    ours = _slots_at_rest(graph, alone)
    theirs = {name: _together(graph, [slot[name] for slot in ours]) for name in graph.input_names}
    differences = Differences(composed=bool(graph.fields), carried=carried)
    composer = FrameComposer(graph)
    for given in _given(graph, steps):
        for slot, inputs in zip(ours, given, strict=True):
            slot.update(inputs)
        theirs |= {name: _together(graph, [slot[name] for slot in given]) for name in given[0]}
        with torch.no_grad():
            expected = [dict(zip(graph.output_names, alone(*slot.values()), strict=True)) for slot in ours]
        came = take_step(theirs)
        together = {name: _together(graph, [slot[name] for slot in expected]) for name in graph.output_names}
        differences.add(composer.by_torch(together), composer.by_engine(came))
        for name in graph.state_names:
            theirs[name] = (came if carried else together)[name + NEXT_SUFFIX]
            for slot, following in zip(ours, expected, strict=True):
                slot[name] = following[name + NEXT_SUFFIX]
    return differences.measured()


def check_parity(measured: MeasuredParity, path: Path, graph: StepGraph, passes: Sequence[str] = ()) -> None:
    """Raise ModelFileError when the exported graph does not show what torch shows, and say what is at fault.

    `graph` is the step in torch, `passes` are the rewrites that were applied before the export.
    """
    if measured.within_limits:
        return
    apart = (
        f"{measured.levels_max} of 255 levels in the frame and {100 * measured.state_error:.3g} % in the states"
        if measured.finite
        else "values that are not finite"
    )
    raise ModelFileError(
        f"{path} was not written: over {measured.recorded.steps} carried steps it differs from torch by {apart}; at most "
        f"{measured.levels_limit} level{'s' if measured.levels_limit > 1 else ''} and {100 * STATE_LIMIT:g} % are allowed. {_cause(graph, passes)}"
    )


def _cause(graph: StepGraph, passes: Sequence[str]) -> str:
    """Find what made the graph differ, and return it with the way out."""
    alone = StepGraph(graph.model, controls=graph.control_names)
    own = _rounding(alone)
    if own is None:
        return (
            "The checkpoint is at fault: torch's own values are not finite either. Use an older checkpoint of the run."
        )
    if not own.within_limits:
        return (
            f"The checkpoint is at fault: it amplifies rounding, so that torch in 32 bits differs from torch in 64 bits by "
            f"{own.levels_max} levels in the frame and {100 * own.state_error:.3g} % in the states. Use an older checkpoint, or train on with a lower learning rate."
        )
    if passes:
        return f"The checkpoint is sound. Export it without --for and --passes: a rewrite may be at fault ({', '.join(passes)})."
    return (
        f"The checkpoint is sound: the export is at fault. Please report it with torch {torch.__version__} and "
        f"onnxruntime {_runtime.__version__}."
    )


@torch.no_grad()
def _rounding(alone: StepGraph) -> MeasuredParity | None:
    """Return how far float32 torch is from float64 torch, or None where a value is not finite."""
    exact = StepGraph(copy.deepcopy(alone.model).double(), controls=alone.control_names)
    ours = dict(zip(alone.input_names, alone.example_inputs(), strict=True))
    theirs = {name: value.double() for name, value in ours.items()}
    differences, composer = Differences(composed=bool(alone.fields)), FrameComposer(alone)
    for (given,) in _given(alone, PARITY_STEPS):
        ours |= given
        theirs |= {name: value.double() for name, value in given.items()}
        came, expected = (
            dict(zip(alone.output_names, step(*inputs.values()), strict=True))
            for step, inputs in ((alone, ours), (exact, theirs))
        )
        if not all(bool(value.isfinite().all()) for value in came.values()):
            return None
        differences.add(composer.by_torch(_arrays(expected)), composer.by_torch(_arrays(came)))
        for name in alone.state_names:
            ours[name], theirs[name] = came[name + NEXT_SUFFIX], expected[name + NEXT_SUFFIX]
    return differences.measured()


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    return {name: value.numpy() for name, value in tensors.items()}


def _slots_at_rest(graph: StepGraph, alone: StepGraph) -> list[dict[str, Tensor]]:
    """Return the inputs of each slot at rest: the first with default controls, the others with controls of their own."""
    slots = [dict(zip(alone.input_names, alone.example_inputs(), strict=True)) for _ in range(graph.batch)]
    for b, slot in enumerate(slots):
        for spec in graph.signature.controls:
            end = spec.high if b % 2 else spec.low
            slot[spec.name] = torch.tensor(spec.default + CONTROL_REACH * b / graph.batch * (end - spec.default))
    return slots


def _given(graph: StepGraph, steps: int) -> Iterator[list[dict[str, Tensor]]]:
    """Yield the sound and noise of each slot in each step. In each further slot the sound begins later and is quieter."""
    model, batch = graph.model, graph.batch
    sound = probe_sound(steps * model.hop_samples, model.sample_rate_hz)
    sounds = [np.roll(sound, b * len(sound) // batch) * np.float32(1.0 - 0.5 * b / batch) for b in range(batch)]
    cut = [windows(one, model.window_samples, model.hop_samples, steps) for one in sounds]
    noise = model.draw_noise(batch, steps, torch.Generator().manual_seed(1))
    for k in range(steps):
        yield [
            {"audio": torch.tensor(cut[b][k]), **{name: noise[name][b, k] for name in graph.noise_names}}
            for b in range(batch)
        ]


def _together(graph: StepGraph, values: list[Tensor]) -> NDArray[np.float32]:
    """Return the values of all slots as the graph takes and gives them."""
    return torch.stack(values).numpy() if graph.batch > 1 else values[0].numpy()


def session_options() -> Any:
    """Return the options of ONNX Runtime for a comparison: as in a show, where states may decay to denormal numbers."""
    options = _runtime.SessionOptions()
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options
