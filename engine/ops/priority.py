"""A higher process priority for a live show, where the system allows it."""

from __future__ import annotations

import ctypes
import os
import sys

NICENESS = -10
"""Before ordinary programs, after the sound server, which rtkit puts higher."""
_WINDOWS_HIGH_PRIORITY = 0x80


def raise_process() -> str:
    """Raise the priority of this process and return the result in one sentence.

    Call it before any thread starts, because threads inherit it. This is not real-time scheduling: a step that takes a whole hop
    would keep the sound server from running.
    """
    if sys.platform == "win32":
        kernel = ctypes.windll.kernel32
        done = kernel.SetPriorityClass(kernel.GetCurrentProcess(), _WINDOWS_HIGH_PRIORITY)
        return "priority raised to high" if done else "priority not raised: Windows refused"
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness != 0:
        # The user chose this niceness.
        return f"priority left as it was (niceness {niceness})"
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    except OSError as error:
        return f"priority not raised: {error.strerror}; allow it with Nice={NICENESS} in the unit, or with a higher nice limit"
    return f"priority raised (niceness {NICENESS})"
