"""All tests, as CI runs them: two rows of processes side by side.

python -m tests
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROWS = {
    # These keep time, one after the other: two shows at once are more than two cores can do.
    "shows": [["tests", "--ignore=tests/export", "--ignore=tests/training"]],
    # These compute. Each has a process: their native libraries do not live well together (conftest.py).
    "models": [["tests/training"], ["tests/export"]],
}
# What computes waits for what keeps time.
BEHIND = {"models": ["nice", "-n", "10"]} if sys.platform != "win32" else {}


def main() -> int:
    print(f"Side by side: {' and '.join(ROWS)}, about 25 minutes. What they say comes when they end.", flush=True)
    failed = list[str]()
    with ThreadPoolExecutor() as pool:
        names = {pool.submit(run, name): name for name in ROWS}
        for ended in as_completed(names):
            if not ended.result():
                failed.append(names[ended])
    print(f"Failed: {' and '.join(failed)}." if failed else "All passed.")
    return 1 if failed else 0


def run(name: str) -> bool:
    """Run a row, print what its tests say, and return whether all of them passed."""
    codes = list[int]()
    for arguments in ROWS[name]:
        command = [*BEHIND.get(name, []), sys.executable, "-m", "pytest", *arguments]
        ended = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        print(f"\n{' '.join(arguments)}\n{ended.stdout}", flush=True)
        codes.append(ended.returncode)
    return not any(codes)


if __name__ == "__main__":
    sys.exit(main())
