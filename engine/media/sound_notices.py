"""The sentences about a file's sound: each kind is told a few times, the same sentence once, then they are counted."""

from __future__ import annotations

MOST_OF_A_KIND = 3
SHORTEST_GAP_S = 0.005
"""A shorter one would be told as one from 0.00 to 0.00 s."""


class SoundNotices:
    """Collects sentences until somebody takes them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._sentences: list[str] = []
        self._counts: dict[str, int] = {}
        self._told: dict[str, list[str]] = {}
        self._missing_s = 0.0

    def take(self) -> list[str]:
        """Return the sentences since the last call."""
        taken, self._sentences = self._sentences, []
        return taken

    def gap(self, begin_s: float, end_s: float) -> None:
        """Tell a gap, unless nothing of it is heard."""
        if end_s - begin_s < SHORTEST_GAP_S:
            return
        self._missing_s += end_s - begin_s
        self._tell(
            "gap",
            f"The sound of {self._name} has a gap from {begin_s:.2f} to {end_s:.2f} s; it is filled with silence.",
        )

    def join(self, time_s: float, jump_s: float) -> None:
        """Tell a jump of the clock at `time_s` from the start."""
        direction = "ahead" if jump_s > 0 else "back"
        self._tell(
            "join",
            f"The clock of {self._name} jumps {direction} by {abs(jump_s):.2f} s at {time_s:.2f} s, as in recordings that were "
            "joined; sound and video go on from there.",
        )

    def undecodable(self, time_s: float) -> None:
        """Tell that a packet near `time_s` from the start cannot be decoded."""
        self._tell(
            "undecodable", f"A part of the sound of {self._name} near {time_s:.2f} s is damaged; it is left out."
        )

    def rate(self, time_s: float, before_hz: int, after_hz: int) -> None:
        """Tell a change of the sample rate."""
        self._tell(
            "rate",
            f"The sound of {self._name} changes from {before_hz} to {after_hz} Hz at {time_s:.2f} s; it is converted.",
        )

    def channels(self, time_s: float, before: int, after: int) -> None:
        """Tell a change of the channels."""
        self._tell(
            "channels",
            f"The sound of {self._name} changes from {before} to {after} channels at {time_s:.2f} s; it is mixed.",
        )

    def clock(self, percent: float) -> None:
        """Tell that the time stamps and the samples disagree steadily."""
        self._tell(
            "clock",
            f"The clock of {self._name} runs {abs(percent):.2f} % off the sample rate; the sound is stretched to follow it.",
            most=1,
        )

    def wrong_clock(self) -> None:
        """Tell that time stamps were not followed."""
        self._tell("wrong clock", f"{self._name} has wrong time stamps; its sound is played without them.", most=1)

    def silent_track(self, audible: str) -> None:
        """Tell that the chosen track starts with silence and that others do not."""
        self._tell(
            "silent", f"The chosen sound track of {self._name} is silent; audible is {audible}: choose it with --track."
        )

    def end(self) -> None:
        """Tell how much was not told one by one."""
        more = {kind for kind, count in self._counts.items() if count > len(self._told[kind])}
        if "gap" in more:
            self._sentences.append(
                f"The sound of {self._name} has {self._counts['gap']} gaps, {self._missing_s:.2f} s in all."
            )
        if "undecodable" in more:
            self._sentences.append(f"{self._counts['undecodable']} parts of the sound of {self._name} were damaged.")
        self._counts.clear()
        self._told.clear()

    def _tell(self, kind: str, sentence: str, most: int = MOST_OF_A_KIND) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        told = self._told.setdefault(kind, [])
        if len(told) < most and sentence not in told:
            told.append(sentence)
            self._sentences.append(sentence)
