"""The kinds of files that people hand over, each with good ones and the way in which the product reads them."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.private_desktop import ROOT
from engine.app.config_checks import check_directions
from engine.app.config_reading import read_config_files, resolve
from engine.control.modulation.expression import FUNCTIONS, NAMES, Inputs, parse_expression
from engine.control.parameter_store import ControlSnapshot
from engine.control.parameter_table import TABLE
from engine.control.scenes.scene_files import Scene, Scenes
from engine.core.array_files import parse_array, parse_arrays
from engine.core.errors import ConfigError, UserError
from engine.model.file import read_card
from engine.takes.recorder import TakeRecorder
from engine.takes.replay import ReplayedControls, TakeSource, read_take
from engine.takes.take_log import TakeHeader
from training.core.weight_reading import read_tensors
from training.families.family import build_model
from training.logging.records import read_records
from training.loop.checkpoint import read_start, save_generator
from training.loop.config import load_train_config
from training.sweeps.plan import load_sweep

MODEL = ROOT / "engine" / "models" / "water.onnx"
TRAINING = ROOT / "configs" / "train" / "tiny.yaml"


class Subject(NamedTuple):
    """One kind of file."""

    name: str
    files: Mapping[str, bytes]
    """Good files by their path in a folder; all of them are there, one or more are damaged."""
    read: Callable[[Path], object]
    """Reads the folder. Raises UserError for what cannot be used."""


def subjects(folder: Path) -> list[Subject]:
    """Return all kinds; `folder` is empty and takes the good files."""
    return [
        Subject("configuration", _files(ROOT / "configs" / "live", "*.yaml"), _read_configurations),
        Subject("scene", _scene(folder / "scene"), lambda place: Scenes(place).load(1)),
        Subject("take", _take(folder / "take"), _read_take),
        Subject("mapping", {"mapping": b"0.2 + 0.6 * onset * smoothstep(0.1, 0.9, level) if beat < 0.5 else pow(lfo(0.5), 2)"}, _read_mapping),
        Subject("array", {"a.npy": _npy(), "b.npz": _npz()}, _read_arrays),
        Subject("checkpoint", _checkpoint(folder / "checkpoint"), read_start),
        Subject("training configuration", {"c.yaml": TRAINING.read_bytes()}, lambda place: load_train_config(place / "c.yaml")),
        Subject("sweep", _files(ROOT / "configs" / "sweep", "*.yaml"), _read_sweeps),
        Subject("records", {"stats.jsonl": b'{"iteration": 1, "elapsed_s": 2.5, "l1": 0.5}\n' * 20}, lambda place: read_records(place / "stats.jsonl")),
        Subject("weights", {"w.pth": _weights()}, _read_weights),
    ]  # fmt: skip


def random_mapping(drawn: random.Random, depth: int = 0) -> str:
    """Return an expression, most of them well-formed, with numbers that overflow among its parts."""
    if depth > 6 or drawn.random() < 0.25:
        return drawn.choice(
            (*NAMES, "0", "1", "9", "0.5", "1e308", "9**9**9", "'a'", "lfo", "x" * 50, "1 << 9"[: drawn.choice((1, 6))])
        )
    left, right = (random_mapping(drawn, depth + 1) for _ in range(2))
    match drawn.randrange(4):
        case 0:
            name = drawn.choice((*FUNCTIONS, "lfo", "feature"))
            function = FUNCTIONS.get(name)
            return f"{name}({', '.join([left, right, left][: function.fewest if function else 1])})"
        case 1:
            return f"({left} if {right} else {left})"
        case _:
            return f"({left} {drawn.choice(('+', '-', '*', '/', '%', '**', '<', '==', 'and', 'or'))} {right})"


def _files(folder: Path, pattern: str) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob(pattern))}


def _below(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def _npy() -> bytes:
    content = io.BytesIO()
    np.save(content, np.arange(12, dtype=np.float32).reshape(3, 4))
    return content.getvalue()


def _npz() -> bytes:
    content = io.BytesIO()
    np.savez(content, memory=np.zeros(4, np.float32), phase=np.ones((2, 2), np.float32))
    return content.getvalue()


def _weights() -> bytes:
    content = io.BytesIO()
    torch.save({"a.weight": torch.arange(6.0), "a.bias": torch.ones(2, 3)}, content)
    return content.getvalue()


def _scene(folder: Path) -> dict[str, bytes]:
    Scenes(folder).save(
        Scene(number=1, name="blue", values={"glow": 0.5, "mirror": True}, state={"memory": np.zeros(4, np.float32)})
    )
    return _below(folder)


def _take(folder: Path) -> dict[str, bytes]:
    card = read_card(MODEL)
    header = TakeHeader(
        date="", model=str(MODEL), card_name=card.name, graph_sha256=card.graph_sha256, sample_rate_hz=card.sample_rate_hz,
        hop_samples=card.hop_samples, source="demo", source_rate_hz=card.sample_rate_hz, source_channels=1, backend="", description="",
        threads=1, versions={}, settings={}, mappings={"glow": "0.5 * onset"},
    )  # fmt: skip
    take = TakeRecorder(folder, header, live=False)
    take.open()
    state = {"kind": "state", "state": {"memory": np.zeros(4, np.float32)}, "fade_hops": 5, "is_held": False}
    for hop in range(30):
        take.add_sound(np.zeros((card.hop_samples, 1), np.float32))
        take.note(hop, 0, ControlSnapshot({"gain_db": float(hop)}, ()), False, [state] if hop == 9 else ())
    take.close()
    return _below(folder)


def _checkpoint(folder: Path) -> dict[str, bytes]:
    config = load_train_config(TRAINING)
    save_generator(folder, build_model(config.model), config, iterations=10)
    return _below(folder)


def _read_configurations(folder: Path) -> None:
    for file in sorted(folder.iterdir()):
        resolved = resolve(read_config_files([file]), {}, {}, TABLE)
        check_directions(resolved.config, TABLE)


def _read_sweeps(folder: Path) -> None:
    for file in sorted(folder.iterdir()):
        load_sweep(file)


def _read_mapping(folder: Path) -> None:
    term = parse_expression((folder / "mapping").read_text("utf-8", errors="replace"), "glow")
    for value in (0.0, 0.5, 1e300):
        with suppress(ArithmeticError, ValueError):
            term(Inputs(value=value, level=value, onset=value, time_s=value))


def _read_arrays(folder: Path) -> None:
    for name, parse in (("a.npy", parse_array), ("b.npz", parse_arrays)):
        _as_user_error(lambda name=name, parse=parse: parse((folder / name).read_bytes()))


def _read_weights(folder: Path) -> None:
    _as_user_error(lambda: read_tensors(folder / "w.pth"))


def _as_user_error(read: Callable[[], Any]) -> None:
    """Call what raises OSError and ValueError, as its callers do."""
    try:
        read()
    except UserError:
        raise
    except (OSError, ValueError) as error:
        raise ConfigError(f"it cannot be read ({error})") from error


def _read_take(folder: Path) -> None:
    take = read_take(folder)
    source = TakeSource(take)
    controls = ReplayedControls(take, source, TABLE)
    source.start()
    while source.read() is not None:
        pass
    last = -1
    while pick := controls.pick(source.read_samples, take.header.hop_samples, last, False):
        controls.take_snapshot(pick.index)
        controls.show_events(pick.index)
        last = pick.index
    json.dumps(dict(controls.values()))
