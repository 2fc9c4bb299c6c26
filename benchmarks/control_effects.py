"""How far each control of a model file changes its frames, beside the threshold under which it is left out.

python -m benchmarks.control_effects [MODEL.onnx ...] [--sound SOUND] [--steps N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.record import append_record, print_table
from engine.app.config import DEFAULT_MODEL
from engine.core.errors import run_main
from engine.model.backends.onnx_cpu import NAME
from engine.model.backends.selection import open_backend
from export.verification.control_effects import STEPS, backend_effects
from export.verification.sound import made_sound, read_real_sound


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, default=[Path(DEFAULT_MODEL)])
    parser.add_argument("--sound", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    rows: list[tuple[object, ...]] = []
    for model in arguments.models:
        backend = open_backend(model, NAME)
        rate_hz = backend.card.sample_rate_hz
        sound = read_real_sound(arguments.sound, rate_hz) if arguments.sound else made_sound(rate_hz)
        measured = backend_effects(backend, sound, arguments.steps)
        rows += [(model.stem, e.name, e.levels, e.least_levels, "yes" if e.is_seen else "no") for e in measured]
        append_record(
            "control_effects",
            {
                "sound": sound.name,
                "steps": arguments.steps,
                "levels": {effect.name: effect.levels for effect in measured},
                "least_levels": measured[0].least_levels if measured else None,
            },
            backend=NAME,
            model=model.stem,
        )
    print_table(("model", "control", "levels", "least", "parameter"), rows)
    return 0


if __name__ == "__main__":
    run_main(main)
