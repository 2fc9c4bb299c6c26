"""The jobs of each part of benchmarks.gpu on this machine, with the reasons for those that it cannot do."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_child import NO_CARD, Job
from benchmarks.gpu_models import HALF, NAMES, SHIPPED, SIZED, WARP
from benchmarks.gpu_training import FULL, ORIGINAL, OURS, SMALL
from engine.model.backends.graphics_card import GraphicsCard
from engine.model.backends.selection import MODULES, obstacle, suffixes

PARTS = {"peaks": 2.0, "make": 5.0, "check": 5.0, "swap": 3.0, "time": 6.0, "train": 4.0}
"""The parts in the order in which they run, and their shares of the time."""
PROCESSORS = ("onnx-cpu", "openvino")
REFERENCES = {".onnx": "onnx-cpu", ".plan": "onnx-cpu", ".pt2": "torch"}
"""What plays a file, or the .onnx file that it was built from, on the processor, to be compared with."""
SWAP_S, TIMED_S = 8.0, 2.0
_TIMED_PRECISIONS = {"float32": SIZED, "float16": tuple(f"{name}{HALF}" for name in SIZED)}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The machine and the folders of one run."""

    work: Path
    """For files that are deleted afterwards."""
    models: Path | None
    """Where the model files are; without it they are made."""
    reference: Path | None
    """A copy of the original's code."""
    card: GraphicsCard | None

    @property
    def folder(self) -> Path:
        """Where the model files of this run are."""
        return self.models or self.work / "models"

    @property
    def backends(self) -> tuple[str, ...]:
        """The backends to measure: with a card those that use it, without one the processor's first."""
        others = tuple(name for name in MODULES if name not in PROCESSORS)
        return others if self.card else (*PROCESSORS, *others)


def jobs_of(part: str, bench: Bench) -> list[Job]:
    """Return the jobs of a part; those that cannot be done carry the reason."""
    jobs = {"peaks": _peaks, "make": _make, "check": _check, "swap": _swap, "time": _time, "train": _train}
    return list(jobs[part](bench))


def _peaks(bench: Bench) -> Iterator[Job]:
    yield Job(part="peaks", name="memory and matrix products", call="peaks", skip=_missing("torch"))


def _make(bench: Bench) -> Iterator[Job]:
    if bench.models:
        yield Job(part="make", name="all", skip="--models gives the files")
        return
    for name in NAMES:
        arguments = {"folder": str(bench.folder), "name": name}
        yield Job(part="make", name=name, call="make", arguments=arguments)


def _check(bench: Bench) -> Iterator[Job]:
    for stem in (SHIPPED, WARP):
        for suffix, backend in REFERENCES.items():
            file = bench.folder / f"{stem}{suffix}"
            if suffix == ".plan" or not file.is_file():
                continue
            arguments = {"file": str(file), "backend": backend, "target": str(_kept(bench, file))}
            # On a machine with a card, torch would take it.
            yield Job(
                part="check", name=f"{file.name} on the processor", call="reference", arguments=arguments,
                environment=NO_CARD, skip=_obstacle(backend),
            )  # fmt: skip
    for backend in bench.backends:
        reason = _obstacle(backend)
        if reason:
            yield Job(part="check", name=backend, skip=reason)
            continue
        for file in (bench.folder / f"{stem}{kind}" for stem in (SHIPPED, WARP) for kind in _kinds(backend)):
            arguments = {"file": str(file), "backend": backend, "against": str(_kept(bench, file))}
            name = f"{backend}, {file.name}"
            yield Job(part="check", name=name, call="check", arguments=arguments, skip=_absent(file))


def _swap(bench: Bench) -> Iterator[Job]:
    for backend in bench.backends:
        kind = _kinds(backend)[0]
        pair = [bench.folder / f"{SIZED[0]}{kind}", bench.folder / f"{SIZED[1]}{kind}"]
        skip = _obstacle(backend) or _absent(*pair)
        arguments = {"first": str(pair[0]), "second": str(pair[1]), "backend": backend, "seconds": SWAP_S}
        yield Job(part="swap", name=backend, call="swap", arguments=arguments, skip=skip)


def _time(bench: Bench) -> Iterator[Job]:
    for backend in bench.backends:
        for precision, stems in _TIMED_PRECISIONS.items():
            kind = _kinds(backend)[0]
            files = [bench.folder / f"{stem}{kind}" for stem in stems]
            found = [str(file) for file in files if file.is_file()]
            if kind == ".pt2" and precision == "float16":
                continue
            skip = _obstacle(backend) or ("" if found else _absent(*files))
            arguments = {"files": found, "backend": backend, "seconds": TIMED_S}
            yield Job(part="time", name=f"{backend}, {precision}", call="time_files", arguments=arguments, skip=skip)


def _train(bench: Bench) -> Iterator[Job]:
    work = FULL if bench.card else SMALL
    device = "cuda" if bench.card else "cpu"
    for trainer in (*OURS, ORIGINAL):
        skip = _missing("torch")
        if trainer == ORIGINAL and bench.reference is None:
            skip = "give the original's code with --reference CHECKOUT"
        reference = str(bench.reference.resolve()) if bench.reference else ""
        arguments = {"trainer": trainer, "device": device, "reference": reference, **work}
        yield Job(part="train", name=trainer, call="train", arguments=arguments, skip=skip)


def _kinds(backend: str) -> tuple[str, ...]:
    """Return the endings of the files that are checked with a backend, the one that is timed first."""
    if ".plan" in suffixes(backend):
        return (".plan", f"{HALF}.plan")
    return (".pt2",) if ".pt2" in suffixes(backend) else (".onnx", f"{HALF}.onnx")


def _kept(bench: Bench, file: Path) -> Path:
    """Return where the processor's frames of a file are kept; those of float32 are what all are compared with."""
    suffix = ".pt2" if file.suffix == ".pt2" else ".onnx"
    return bench.work / f"{file.stem.removesuffix(HALF)}{suffix}.npz"


def _missing(library: str) -> str:
    return "" if importlib.util.find_spec(library) else f"{library} is not installed"


def _absent(*files: Path) -> str:
    lacking = [file.name for file in files if not file.is_file()]
    return f"there is no {' and no '.join(lacking)}" if lacking else ""


def _obstacle(backend: str) -> str:
    """Return why a backend cannot run here, without its name; empty when it can."""
    return (obstacle(backend) or "").removeprefix(backend).strip()
