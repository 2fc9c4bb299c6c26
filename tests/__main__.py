"""All tests, in processes side by side, as CI runs them:

python -m tests
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = {
    "engine": ["tests/engine"],
    "export, benchmarks and whole programs": ["tests", "--ignore=tests/engine", "--ignore=tests/training"],
    # By itself: its native libraries and those of the runtimes that play do not live well in one process (conftest.py).
    "training": ["tests/training"],
}
# Training computes and waits for nothing: it takes what the others leave, which keep time.
BEHIND = {"training": ["nice", "-n", "10"]} if sys.platform != "win32" else {}


def main() -> int:
    print(f"Side by side: {'; '.join(PARTS)}. Each is printed when it ends.", flush=True)
    failed = list[str]()
    with ThreadPoolExecutor() as pool:
        names = {pool.submit(run, name): name for name in PARTS}
        for ended in as_completed(names):
            name, result = names[ended], ended.result()
            print(f"\n{name}\n{result.stdout}", flush=True)
            if result.returncode != 0:
                failed.append(name)
    print(f"Failed: {'; '.join(failed)}." if failed else "All passed.")
    return 1 if failed else 0


def run(name: str) -> subprocess.CompletedProcess[str]:
    """Return the result of a part, and what it wrote."""
    command = [*BEHIND.get(name, []), sys.executable, "-m", "pytest", *PARTS[name]]
    return subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )


if __name__ == "__main__":
    sys.exit(main())
