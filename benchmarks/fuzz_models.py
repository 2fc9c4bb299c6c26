"""What mutated model files do to the engine: each is refused in a sentence, fails its first test, or plays.

    python -m benchmarks.fuzz_models --minutes 10

The files have right checksums. Each is read as the engine reads it; what is not refused there is opened and stepped in a process of
its own, so a crash of the runtime is a verdict like any other. A traceback is a fault of ours.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.asked_process import AskedProcess, CrashError, HungError
from benchmarks.model_mutations import mutated
from benchmarks.private_desktop import ROOT
from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import ModelFileError, run_main
from engine.model.backends.first_test import MARK
from engine.model.backends.selection import MODULES
from engine.model.content import read_content
from engine.model.file import read_model
from export.probe import write_probe_file

SHIPPED = ROOT / "engine" / "models" / "water.onnx"
PROBE_FPS, PROBE_PIXELS = 20.0, 16
VERDICT_WITHIN_S = 30.0
REFUSED, TRACEBACK, CRASH, LATE = "refused when read", "traceback", "crash", "late"
FAULTS = (TRACEBACK,)
LONGEST_SENTENCE = 1500
SHIPPED_SHARE = 0.1
"""Of the files, that are mutations of the shipped model, which take longer."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Feed the engine with mutated model files.")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (default 0)")
    parser.add_argument("--backend", choices=["onnx-cpu", "openvino"], default="onnx-cpu")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the files that crashed the runtime or us")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    clock = WallClock()
    until_s = clock.now_s() + 60.0 * arguments.minutes
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for path, verdict, reason in verdicts(Path(folder), arguments.seed, arguments.backend, with_shipped=True):
            counts[verdict] += 1
            if verdict in (*FAULTS, CRASH, LATE):
                print(f"{sum(counts.values())}: {verdict} {reason}", flush=True)
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    (arguments.keep / f"{sum(counts.values())}-{verdict}.onnx").write_bytes(path.read_bytes())
            if clock.now_s() > until_s:
                break
    print_table(["verdict", "files"], [[verdict, count] for verdict, count in counts.most_common()])
    if not arguments.no_record:
        asked = {"minutes": arguments.minutes, "seed": arguments.seed}
        append_record("fuzz_models", {**asked, "files": sum(counts.values()), **counts}, backend=arguments.backend)
    return 1 if any(counts[fault] for fault in FAULTS) else 0


def verdicts(folder: Path, seed: int, backend: str, with_shipped: bool) -> Iterator[tuple[Path, str, str]]:
    """Yield the path of one mutated file after the other, its verdict and the reason; the file is there until the next."""
    draw, path = np.random.default_rng(seed), folder / "mutated.onnx"
    write_probe_file(folder / "probe.onnx", PROBE_FPS, PROBE_PIXELS)
    bases = [(folder / "probe.onnx").read_bytes(), *([SHIPPED.read_bytes()] if with_shipped else [])]
    with Worker(backend) as worker:
        while True:
            path.write_bytes(mutated(bases[int(draw.random() < SHIPPED_SHARE) % len(bases)], draw))
            yield path, *judged(path, worker)


def judged(path: Path, worker: Worker) -> tuple[str, str]:
    """Return the verdict on a file, and its reason."""
    try:
        read_model(path)
    except ModelFileError as error:
        verdict, reason = REFUSED, str(error)
    # A fault of ours, whatever it is; this is what is looked for.
    except Exception:  # noqa: BLE001
        return TRACEBACK, traceback.format_exc()
    else:
        verdict, reason = worker.judge(path)
    # A sentence on one line that steers no terminal.
    is_sentence = reason.isprintable() and len(reason) < LONGEST_SENTENCE
    return (verdict, reason) if is_sentence or verdict == TRACEBACK else (TRACEBACK, ascii(reason))


class Worker(AskedProcess):
    """A process that opens and steps model files."""

    def __init__(self, backend: str) -> None:
        super().__init__("benchmarks.fuzz_models_process", VERDICT_WITHIN_S)
        self._backend_module = MODULES[backend]

    def judge(self, path: Path) -> tuple[str, str]:
        """Return the verdict of the process on a file, and its reason."""
        sha256 = read_content(path).sha256
        try:
            answer = self.ask({"path": str(path), "sha256": sha256, "module": self._backend_module, "threads": 1})
        except HungError as error:
            return LATE, str(error)
        except CrashError as error:
            return CRASH, str(error)
        kind, reason = json.loads(answer.removeprefix(MARK))
        return kind, reason


if __name__ == "__main__":
    run_main(main)
