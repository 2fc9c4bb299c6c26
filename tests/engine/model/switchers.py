"""What tests of the model switcher and of scenes are built from: several probes, backends that fail, invented step times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from engine.control.parameter import Parameter
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.core.errors import BackendError
from engine.model.backend import Backend, WrappedBackend
from engine.model.backends.onnx_cpu import open_model
from engine.model.card import ModelCard
from engine.model.file import sealed
from engine.model.step import Step, StepInputs
from engine.model.switcher import ModelSwitcher
from tests.engine.app.shows import InventedClock
from tests.engine.model.probe_model import CARD, write_probe

WINDOW_SAMPLES = CARD.sample_rate_hz
OPEN_WITHIN_S = 60.0
WIDE = replace(
    CARD,
    name="wide",
    height=24,
    width=48,
    noises=(replace(CARD.noises[0], shape=(48,)),),
    controls=(replace(CARD.controls[0], name="strength", default=2.0),),
)
"""Another size, twice as wide, and a control input of another name."""


def window(index: int, loudness: float = 0.25) -> NDArray[np.float32]:
    """Return a second of sound whose loudness differs from hop to hop."""
    sound = np.random.default_rng(index).uniform(-1, 1, WINDOW_SAMPLES)
    return (loudness * sound).astype(np.float32)


def write_wide(folder: Path) -> str:
    """Write the probe of another size with a control input of another name."""
    # The graph reads the control input under its own name.
    path = write_probe(folder / "plain.onnx", replace(WIDE, controls=CARD.controls))
    model = onnx.load(str(path))
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name == "gain":
                node.input[place] = "strength"
    next(i for i in model.graph.input if i.name == "gain").name = "strength"
    del model.metadata_props[:]
    wide = folder / "wide.onnx"
    wide.write_bytes(sealed(model.SerializeToString(), WIDE))
    path.unlink()
    return str(wide)


class WatchedBackend(WrappedBackend):
    """A backend that counts its steps, takes `step_s` of an invented clock for each, and fails on demand."""

    def __init__(self, inner: Backend, clock: InventedClock | None = None, step_s: float = 0.0) -> None:
        super().__init__(inner)
        self.clock = clock
        self.step_s = step_s
        self.fails = False
        self.steps = 0
        self.controls: list[dict[str, float]] = []

    def step(self, inputs: StepInputs) -> Step:
        if self.fails:
            raise BackendError(f"{self.inner.card.name}: the step failed.")
        self.steps += 1
        self.controls.append({spec.name: float(inputs[spec.name]) for spec in self.card.controls})
        if self.clock:
            self.clock.sleep(self.step_s)
        return self.inner.step(inputs)


class Stage:
    """A model switcher with a parameter store, as the step loop has them, and the notices."""

    def __init__(self, model: Path, live: bool = True, **values: object) -> None:
        self.clock = InventedClock()
        self.told: list[str] = []
        self.opened: dict[str, WatchedBackend] = {}
        self.step_s: dict[str, float] = {}
        self.open_model: Callable[[str], Any] = self.open
        """Tests replace it."""
        self.adopters: list[Callable[[tuple[Parameter, ...]], None]] = []
        backend = self.open(str(model))
        self.store = ParameterStore(parameters_for(backend.card), {"crossfade_s": 0.2, **values})
        self.switcher = ModelSwitcher(
            backend,
            lambda path, is_stopped: self.open_model(path),
            on_model=lambda card: self.adopt(parameters_for(card)),
            clock=self.clock,
            window_samples=WINDOW_SAMPLES,
            path=str(model),
            live=live,
            notify=self.told.append,
        )

    def adopt(self, parameters: tuple[Parameter, ...]) -> None:
        self.store.replace_parameters(parameters)
        for adopt in self.adopters:
            adopt(parameters)

    def open(self, path: str) -> Any:
        name = Path(path).name
        self.opened[name] = WatchedBackend(open_model(path, 1), self.clock, self.step_s.get(name, 0.0))
        return self.opened[name]

    def play(self, first: int, last: int) -> list[NDArray[np.uint8]]:
        """Play hops from `first` up to `last`, which is not played."""
        return [self.switcher.step(window(k), self.store.values(), k).pixels_HWC for k in range(first, last)]

    def swap(self, path: str | Path, index: int) -> None:
        """Ask for a model and play hop `index`, at whose end it is ready."""
        self.switcher.swap_to(str(path))
        assert self.switcher.wait_until_open(OPEN_WITHIN_S)
        self.play(index, index + 1)


def other_card(**changes: Any) -> ModelCard:
    """Return the probe's card with changes that its graph follows."""
    return replace(CARD, **changes)
