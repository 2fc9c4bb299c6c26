"""A progress bar on stderr for renderings and replays, with the time left; silent where stderr is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from engine.core.printable import printable
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import FrameRate

_WITH_TOTAL = "{desc}: {percentage:3.0f}% |{bar}| {n:.1f} of {total:.1f} s, {remaining} left"
_WITHOUT_TOTAL = "{desc}: {n:.1f} s in {elapsed}"


class ProgressBar:
    """Counts the seconds of the sound up to `total_s`; without a total when that is unknown.

    Among a show's outputs it is the first: that is closed last, so the bar stands until the file is complete.
    """

    name = "progress"
    rate: FrameRate = "hop"
    with_effects = False
    standby = True
    lost_frames = 0

    def __init__(self, total_s: float | None) -> None:
        self._total_s = total_s
        self._hop_s = 0.0
        self._bar: Any = None

    def open(self, show: ShowFormat) -> None:
        from tqdm import tqdm

        self._hop_s = 1.0 / show.fps
        if self._bar is None:
            bar_format = _WITHOUT_TOTAL if self._total_s is None else _WITH_TOTAL
            self._bar = tqdm(
                total=self._total_s, bar_format=bar_format, desc=printable(show.title), disable=None, leave=False
            )
        else:
            self._bar.set_description(printable(show.title))

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return True

    def show(self, frame: Frame) -> None:
        self._advance((1 + frame.skipped_hops) * self._hop_s)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def _advance(self, seconds: float) -> None:
        # The last hop may end a little after the sound, and a bar that is more than full shows no time left.
        most_s = seconds if self._total_s is None else max(0.0, self._total_s - self._bar.n)
        self._bar.update(min(seconds, most_s))


class SharedProgressBar(ProgressBar):
    """One bar over several shows: it is closed with `end`, not with a show."""

    def close(self) -> None:
        """Leave the bar for the next show."""

    def reach(self, done_s: float) -> None:
        """Go to `done_s` seconds of the total: a sound that failed, or was shorter than it said, counts as done."""
        if self._bar is not None:
            self._advance(max(0.0, done_s - self._bar.n))

    def say(self, line: str, failed: bool = False) -> None:
        """Print a line above the bar."""
        from tqdm import tqdm

        tqdm.write(printable(line), file=sys.stderr if failed else sys.stdout)

    def end(self) -> None:
        super().close()
