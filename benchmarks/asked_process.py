"""A process that is asked one thing after the other and may crash or hang at any of them."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from contextlib import AbstractContextManager
from types import TracebackType

from benchmarks.private_desktop import ROOT


class HungError(Exception):
    """No answer within the time."""


class CrashError(Exception):
    """The process ended; `str(error)` tells its code."""


class AskedProcess(AbstractContextManager["AskedProcess"]):
    """Runs a module that answers each line of JSON with a line. After a crash or a hang there is a new process."""

    def __init__(self, module: str, within_s: float) -> None:
        self._module = module
        self._within_s = within_s
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, question: object) -> str:
        """Return the answer, a line. Raises HungError and CrashError."""
        process = self._process = self._process or self._start()
        assert process.stdin
        assert process.stdout
        # One that has ended gives no answer below.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(self._within_s):
                self._end()
                raise HungError(f"no answer within {self._within_s:.0f} s")
        line = process.stdout.readline()
        if not line:
            code = process.wait()
            self._end()
            raise CrashError(f"code {code}")
        return line.decode()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            # -P: the current folder may hold a mutated file that is named like a module.
            [sys.executable, "-P", "-m", self._module],
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process:
            process.kill()
            # A line that it never read is lost with it.
            with contextlib.suppress(BrokenPipeError), process:
                pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
