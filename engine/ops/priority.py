"""A higher place in the processor's queue for a show, where the system allows it. Never a reason to stop."""

from __future__ import annotations

import ctypes
import os
import sys

NICENESS = -10
"""Before ordinary programs and behind the sound server, which real-time kits put further up."""
_WINDOWS_HIGH_PRIORITY = 0x80


def raise_process() -> str:
    """Put this process before ordinary ones and return one sentence about what came of it.

    Threads inherit it, so it is called before any is started: sound, steps and window then wait for nobody but each other. It
    is not real-time scheduling: a step that computes for a whole hop would keep the sound server itself from running.
    """
    if sys.platform == "win32":
        kernel = ctypes.windll.kernel32
        done = kernel.SetPriorityClass(kernel.GetCurrentProcess(), _WINDOWS_HIGH_PRIORITY)
        return "priority raised to high" if done else "priority not raised: Windows refused"
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness != 0:
        # Whoever chose it meant it.
        return f"priority left as it was (niceness {niceness})"
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    except OSError as error:
        return f"priority not raised: {error.strerror}; allow it with Nice={NICENESS} in the unit, or with a higher nice limit"
    return f"priority raised (niceness {NICENESS})"
