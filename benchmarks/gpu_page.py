"""The report of benchmarks.gpu: one JSON with all figures, and a page of tables made from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.gpu_child import Outcome
from benchmarks.record import commit
from engine.core.clock import WallClock
from engine.core.machine import describe_machine
from engine.model.backends.graphics_card import GraphicsCard

PARITY_DB = {"float32": 60.0, "float16": 45.0}
"""Below these a check is marked, as export.verification.verdict judges."""
Rows = Sequence[Mapping[str, Any]]


def figures(outcomes: Iterable[Outcome], card: GraphicsCard | None, minutes: float) -> str:
    """Return the JSON of a run: the machine, and every job with its rows or the reason why it has none."""
    record = {
        "at": WallClock.date(),
        "commit": commit(),
        "minutes": minutes,
        "machine": describe_machine(),
        "card": card._asdict() if card else None,
        "jobs": [asdict(outcome) for outcome in outcomes],
    }
    return json.dumps(record, indent=1) + "\n"


def page(text: str) -> str:
    """Return the page for the JSON of a run."""
    record = json.loads(text)
    card, machine = record["card"], record["machine"]
    where = f"{card['name']}, compute capability {card['capability']}, driver {card['driver']}" if card else "no card"
    parts = [
        "# A run of benchmarks.gpu",
        f"{record['at']}, commit {record['commit'] or 'unknown'}. {where}. {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['system']}, Python {machine['python']}.",
    ]
    if not card:
        parts.append("This machine has no graphics card: all figures are the processor's, and say that the parts work.")
    for heading, part, table in (
        ("Peaks, measured", "peaks", _peaks),
        ("64 carried steps beside the processor", "check", _checks),
        ("Models swapped while one plays", "swap", _swaps),
        ("Durations of a step", "time", _times),
        ("Training", "train", _training),
    ):
        # The processor's own rows, which the others are compared with, have no figures.
        rows = [row for row in rows_of(record, part) if part != "check" or "levels" in row]
        if rows:
            parts += [f"## {heading}", table(rows, record)]
    lines = faults(record)
    lines += [f"- make, {row['file']}: {row['left_out']}" for row in rows_of(record, "make") if "left_out" in row]
    if lines:
        parts += ["## Skipped, or ended early", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def faults(record: Mapping[str, Any]) -> list[str]:
    """Return a line for each reason why jobs were skipped or ended early; jobs of one backend with one reason share theirs."""
    jobs: dict[tuple[str, str], list[str]] = {}
    for job in record["jobs"]:
        if job["fault"]:
            subject = job["name"].partition(",")[0] if job["skipped"] else f"{job['part']}, {job['name']}"
            jobs.setdefault((subject, job["fault"]), []).append(job["part"])
    lines: list[str] = []
    for (subject, fault), parts in jobs.items():
        where = "" if subject.startswith(f"{parts[0]},") else f" ({', '.join(dict.fromkeys(parts))})"
        lines.append(f"- {subject}{where}: {fault}")
    return lines


def rows_of(record: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """Return the rows of all jobs of a part."""
    return [row for job in record["jobs"] if job["part"] == part for row in job["rows"]]


def bound_s(row: Mapping[str, Any], peaks: Mapping[str, float]) -> float | None:
    """Return the least duration of a step: its weights, inputs and outputs moved once, or its arithmetic at the matrix peak.

    None where a figure is missing.
    """
    # TensorRT in ONNX Runtime rounds float32 products to TF32.
    rounds = "TF32" if row["backend"] == "onnx-tensorrt" and row["precision"] == "float32" else row["precision"]
    operations = row["operations"]
    if operations is None or "memory" not in peaks or rounds not in peaks:
        return None
    return max((row["file_bytes"] + row["tensor_bytes"]) / peaks["memory"], operations / peaks[rounds])


def _peaks(rows: Rows, record: Mapping[str, Any]) -> str:
    units = {"B/s": (1e9, "GB/s"), "FLOP/s": (1e9, "GFLOP/s")}
    cells = [[r["peak"], r["on"], f"{r['rate'] / units[r['unit']][0]:,.1f} {units[r['unit']][1]}"] for r in rows]
    return table(["", "on", "rate"], cells)


def _checks(rows: Rows, record: Mapping[str, Any]) -> str:
    cells = [
        [r["file"], r["description"], r["levels"], r["worst_db"], r["last_db"], f"{r['state_error']:.1e}", r["opening_s"],
         "yes" if r["worst_db"] >= PARITY_DB["float16" if "float16" in r["file"] else "float32"] else "**no**"]
        for r in rows
    ]  # fmt: skip
    return table(
        ["file", "backend", "levels apart", "worst dB", "last dB", "state error", "opening s", "as the processor"],
        cells,
    )


def _swaps(rows: Rows, record: Mapping[str, Any]) -> str:
    cells = [
        [r["backend"], r["swaps"], r["steps"], r["failed_steps"], r["hop_ms"], *(r["alone"][n] for n in _SHOWN),
         *(r["while_swapping"][n] for n in _SHOWN), "; ".join(r["told"])]
        for r in rows
    ]  # fmt: skip
    names = [
        "backend",
        "swaps",
        "steps",
        "failed",
        "hop ms",
        "alone p50",
        "p99",
        "max",
        "swapping p50",
        "p99",
        "max",
        "said",
    ]
    return table(names, cells)


def _times(rows: Rows, record: Mapping[str, Any]) -> str:
    peaks = {row["peak"]: row["rate"] for row in rows_of(record, "peaks")}
    cells: list[list[object]] = []
    for row in rows:
        least_s = bound_s(row, peaks)
        share = f"{100.0 * 1e3 * least_s / row['p50_ms']:.1f} %" if least_s and row["p50_ms"] else ""
        cells.append([
            f"{row['size']} x {row['size']}", row["backend"], row["precision"], row["before_capture_p50_ms"], row["p50_ms"],
            row["p99_ms"], row["max_ms"], f"{1e3 * least_s:.4f}" if least_s else "", share,
        ])  # fmt: skip
    return table(
        ["size", "backend", "precision", "first steps ms", "p50 ms", "p99 ms", "max ms", "least ms", "of the roofline"],
        cells,
    )


def _training(rows: Rows, record: Mapping[str, Any]) -> str:
    last = {row["trainer"]: row for row in rows}
    original = last.get("original", {}).get("median_s")
    cells = [
        [name, r["device"], f"{r['image_size']} px, {r['frames']} frames", r["iterations"], r["median_s"],
         f"{original / r['median_s']:.2f}" if original else "", r["peak_mib"]]
        for name, r in last.items()
    ]  # fmt: skip
    return table(["trainer", "on", "sequence", "iterations", "s an iteration", "times the original", "peak MiB"], cells)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [headings, ["---"] * len(headings), *([str(cell).replace("|", "/") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_SHOWN = ("p50_ms", "p99_ms", "max_ms")
