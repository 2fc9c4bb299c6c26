"""The child process of a first test (first_test.py): opens a model file, takes steps, prints its verdict and ends.

python -P -m engine.model.backends.first_test_process '{"path": …}'
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import sys
import threading
from typing import Any

import numpy as np

from engine.core.clock import WallClock
from engine.core.errors import BackendError, ModelFileError, StepError
from engine.core.machine import memory_bytes
from engine.model.backend import Backend
from engine.model.backends.first_test import MARK
from engine.model.backends.layered import open_composing
from engine.model.content import read_content
from engine.model.noise import draw_noise
from engine.model.step import resting_inputs

STEPS = 20
"""Half of them on silence."""
ENOUGH_S = 20.0
"""A slow model is not stepped any more after so long, once it has heard both."""
NICENESS = 10
MEMORY_SHARE = 0.5
"""Of the machine's memory, that a model may take."""
_USUAL_MEMORY_BYTES = 8 << 30
_LONGEST_REASON = 2000


def main() -> int:
    asked: dict[str, Any] = json.loads(sys.argv[1])
    # Whatever a runtime prints goes elsewhere; the verdict alone goes to the parent.
    verdict = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    end_with_parent()
    # Ends the process from outside Python, also while native code holds the interpreter.
    faulthandler.dump_traceback_later(float(asked["limit_s"]), exit=True)
    limit_resources(float(asked["limit_s"]), bool(asked["limits_memory"]))
    kind, reason = judge(asked)
    print(MARK + json.dumps({"kind": kind, "reason": reason[:_LONGEST_REASON]}), file=verdict, flush=True)
    verdict.close()
    # Without the libraries' own clean-up, which could crash as well.
    os._exit(0)


def judge(asked: dict[str, Any]) -> tuple[str, str]:
    """Return the kind of the verdict, and the sentence that goes with it."""
    try:
        content = read_content(asked["path"])
        if content.sha256 != asked["sha256"]:
            return "file", f"{asked['path']} changed while it was tested; start again once it is complete."
        module = importlib.import_module(f"engine.model.backends.{asked['module']}")
        play(open_composing(module, content, asked["threads"]))
    except StepError as error:
        return "step", str(error)
    except BackendError as error:
        return "backend", str(error)
    except ModelFileError as error:
        return "file", str(error)
    except MemoryError:
        return "backend", "the step failed (out of memory)."
    return "passed", ""


def play(backend: Backend) -> None:
    """Take steps, half of them on silence and half on noise of full scale. Raises StepError."""
    clock, random = WallClock(), np.random.default_rng(0)
    started_s = clock.now_s()
    card, resting = backend.card, resting_inputs(backend.card)
    states = resting.states
    for number in range(STEPS):
        # By turns, so that a slow model gets both.
        if number % 2:
            loud = {"audio": random.uniform(-1.0, 1.0, resting["audio"].shape).astype(np.float32)}
            noise = draw_noise(card.noises, 0, number)
            controls = {c.name: np.full(resting[c.name].shape, c.high, np.float32) for c in card.controls}
            inputs = resting.with_values({**loud, **noise, **controls}, states)
        else:
            inputs = resting.with_states(states)
        # Looked at, so that a graphics card has to be done with it.
        states = {name: np.array(value) for name, value in backend.step(inputs).next_state.items()}
        if number and clock.now_s() - started_s > ENOUGH_S:
            break


def end_with_parent() -> None:
    """End this process when the parent does, however that ends: then the pipe to it closes."""

    def wait() -> None:
        # Without Python's own buffer: its lock would stop processes that a library forks.
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def limit_resources(limit_s: float, limits_memory: bool) -> None:
    """Limit memory and processor time where the system can, and let the show go first."""
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(NICENESS)
    if sys.platform == "win32":
        return
    resource = importlib.import_module("resource")
    limits = {"RLIMIT_CORE": 0, "RLIMIT_CPU": int(limit_s) * (os.cpu_count() or 1)}
    if limits_memory:
        # Of data alone: libraries reserve addresses far beyond what they use. macOS accepts the limit and does not hold it.
        limits["RLIMIT_DATA"] = int(MEMORY_SHARE * (memory_bytes() or _USUAL_MEMORY_BYTES))
    for name, most in limits.items():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, name), (most, most))


if __name__ == "__main__":
    sys.exit(main())
