"""A call that may take as long as a disk, for those who wait in an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from engine.core.errors import ConfigError, UserError

T = TypeVar("T")


async def in_thread(name: str, call: Callable[[], T]) -> T:
    """Return what `call` returns in a thread of its own, which does not keep the process alive. Raises UserError where it failed.

    The pools of asyncio will not do: the process waits for their threads when it ends.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    results, errors = list[T](), list[UserError]()

    def run() -> None:
        try:
            results.append(call())
        except UserError as error:
            errors.append(error)
        except OSError as error:
            errors.append(ConfigError(f"{name} failed: {error.strerror or error}."))
        finally:
            # The loop is closed where the show ends first.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name=f"web {name}", daemon=True).start()
    await done.wait()
    if errors:
        raise errors[0]
    if not results:
        raise ConfigError(f"{name} broke off; the terminal of the show says why.")
    return results[0]
