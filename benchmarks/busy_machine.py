"""A show on a machine whose other programs take all they can get, at several levels of niceness, and how long its page takes to open beside it.

    sudo python -m benchmarks.busy_machine --seconds 20

The other programs and the browser each run in a session of their own, as in other terminals. Linux, and root: only root may lower a
niceness without being allowed to. See docs/service.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, run_main
from engine.ops.priority import NICENESS

ROOT = Path(__file__).parent.parent
LEFT, MILD = 1, -5
"""A show leaves a niceness of 1 as it is: nothing is raised."""
ADDRESS = "127.0.0.1:8123"
SETTLES_S = 5.0
ENDS_WITHIN_S = 60.0
BUSY = "while True: pass"
OPEN = "import sys; from benchmarks.page_opening import open_page; print(open_page(sys.argv[1]).first_frame_s)"


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure a show on a busy machine at several levels of niceness.")
    parser.add_argument("--model", default="veil", help="a model (default veil)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each show (default 20)")
    parser.add_argument("--busy", type=int, default=2 * (os.cpu_count() or 1), help="programs (default two a core)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    flags = parser.parse_args()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise ConfigError("benchmarks.busy_machine lowers niceness, and runs as root on Linux; start it with sudo.")
    rows = [
        {"niceness": niceness, "busy": busy, **measure(flags.model, niceness, busy, flags.seconds)}
        for busy in (0, flags.busy)
        for niceness in (LEFT, MILD, NICENESS)
    ]
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    if not flags.no_record:
        append_record("busy_machine", {"seconds": flags.seconds, "shows": rows}, model=flags.model)
    return 0


def measure(model: str, niceness: int, busy: int, seconds: float) -> dict[str, Any]:
    """Return the figures of two shows: one without a page, and one at which a page is opened."""
    with tempfile.TemporaryDirectory() as folder, _others(busy):
        stats = Path(folder, "stats.json")
        _end(_show(model, niceness, seconds, "--stats", str(stats)), seconds)
        figures = json.loads(stats.read_text())
        played = _show(model, niceness, seconds, "--web", ADDRESS)
        WallClock().sleep(SETTLES_S)
        opened = subprocess.run(
            [sys.executable, "-c", OPEN, f"http://{ADDRESS}/"],
            cwd=ROOT, capture_output=True, text=True, check=True, start_new_session=True,
        )  # fmt: skip
        _end(played, seconds)
    return {
        "steps": figures["steps"],
        "skipped": figures["skipped_hops"],
        "age_p50_ms": figures["handed_age"]["p50_ms"],
        "age_p95_ms": figures["handed_age"]["p95_ms"],
        "page_s": round(float(opened.stdout), 2),
    }


def _show(model: str, niceness: int, seconds: float, *more: str) -> subprocess.Popen[bytes]:
    show = [sys.executable, "run_live.py", "--model", model, "--source", "demo", "--out", "null", "--no-osc"]
    return subprocess.Popen(
        ["nice", "-n", str(niceness - os.nice(0)), *show, "--seconds", f"{seconds:g}", *more],
        cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _end(show: subprocess.Popen[bytes], seconds: float) -> None:
    if show.wait(seconds + ENDS_WITHIN_S):
        raise ConfigError(f"The show ended with exit code {show.returncode}; 0 was expected.")


@contextmanager
def _others(count: int) -> Iterator[None]:
    """Keep other programs busy, each in a session of its own."""
    programs = [subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


if __name__ == "__main__":
    run_main(main)
