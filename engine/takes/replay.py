"""Replay a take: the same sound, the same hops, the same values at each, and so the same frames, at any size.

take = read_take(folder)
source = TakeSource(take)
store = ReplayedControls(take, source)                      # store.pick replaces pacing.pick_hop
backend = ReplayedFailures(open_backend(take.model, ...), store)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.beat_clock import BeatPoint
from engine.control.former_names import former_names
from engine.control.parameter import Parameter, Value
from engine.control.parameter_store import Applied, ControlSnapshot
from engine.control.parameter_table import TABLE
from engine.core.errors import BackendError, ConfigError, ModelFileError
from engine.core.show_event import MODEL, ShowEvent
from engine.core.small_files import read_lines as read_text_lines
from engine.core.structured import shortened, shown
from engine.model.backend import Backend, WrappedBackend, not_finite
from engine.model.backends.selection import read_card
from engine.model.step import Step, StepInputs
from engine.render.pacing import Pick
from engine.takes.take_arrays import with_arrays
from engine.takes.take_log import LOG, SOUND, HopLine, TakeHeader, versions
from engine.takes.take_log_reading import read_header, read_lines
from engine.takes.take_sound import read_sound

# T audio samples, C channels


@dataclass(frozen=True, kw_only=True, slots=True)
class Take:
    """A take that was read completely and can be replayed here."""

    folder: Path
    header: TakeHeader
    model: str
    """Path of the model file, whose graph is the one that played."""
    hops: int
    """Hops of sound, stepped or skipped."""
    skipped_hops: int
    received_samples: int
    """Samples of the sound that these hops need, at the source's rate."""
    ending: str | None
    """Why the take ends; None when the process was killed."""

    @property
    def seconds(self) -> float:
        return self.hops * self.header.hop_samples / self.header.sample_rate_hz


def read_take(folder: Path | str, model: str | None = None) -> Take:
    """Read a take completely; `model` is the path of its model file, where that was moved.

    Raises ConfigError for a folder without a take, a damaged line and missing sound, and ModelFileError for a model file that is
    missing or not the one that played.
    """
    folder = Path(folder)
    file = folder / LOG
    try:
        header = read_header(next(read_text_lines(file), ""), file)
    except OSError as error:
        raise ConfigError(
            f"There is no take in {folder}: {file.name} cannot be read ({error.strerror}); give a folder written with --take."
        ) from error
    path = model or header.model
    _check_model(path, header.graph_sha256, folder, "name it with --model")
    skipped_hops = 0
    last, checked = HopLine(hop=-1, received_samples=0), set[tuple[str, str]]()
    for last in read_lines(file):
        skipped_hops += last.skipped_hops
        for show_event in last.show_events:
            # When the first model plays again later, `model` is its path too.
            if show_event.get("kind") == MODEL and show_event.get("graph_sha256") != header.graph_sha256:
                played = str(show_event.get("model")), str(show_event.get("graph_sha256"))
                if played not in checked:
                    _check_model(*played, folder, "put it back")
                    checked.add(played)
    sound = read_sound(folder / SOUND, header.source_rate_hz, header.source_channels)
    next(sound, None)
    sound.close()
    return Take(
        folder=folder,
        header=header,
        model=path,
        hops=last.hop + 1,
        skipped_hops=skipped_hops,
        received_samples=last.received_samples,
        ending=last.end,
    )


def differences(take: Take, backend: Backend) -> list[str]:
    """Return a line that lists what differs from the show and may change the last bit of a frame; none when nothing differs."""
    then = {"backend": take.header.description, **take.header.versions}
    now = {"backend": backend.description, **versions()}
    changed = [
        f"{name} {then.get(name, 'none')} then, {now.get(name, 'none')} now"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    ]
    return [f"Frames may differ from the show's in their last bit: {'; '.join(changed)}."] if changed else []


def context_differences(header: TakeHeader, given: str | None, sha256: str) -> list[str]:
    """Return a line where the models look at something else than in the show: `given` in place of the take's, or a changed file.

    `sha256` is the checksum of the file that they look at now; empty where there is none.
    """
    if sha256 and sha256 == header.context_sha256:
        return []
    differ = "frames differ from the show's"
    if given is None:
        is_changed = bool(sha256 and header.context_sha256)
        return [f"{shown(header.context)} has changed since the show looked at it; {differ}."] if is_changed else []
    before = "nothing" if header.context is None else shown(header.context)
    return [f"The show looked at {before}, and the replay looks at {shown(given)}; {differ}."]


class TakeSource:
    """The sound of a take, up to its last hop, without waiting."""

    live = False
    stalled = False
    dropped_samples = 0
    block_s = buffer_s = 0.0

    def __init__(self, take: Take) -> None:
        header = take.header
        self.name = take.folder.name
        self.rate_hz = header.source_rate_hz
        self.channels = header.source_channels
        self.read_samples = 0
        self.is_over = False
        self._take = take
        self._notices: list[str] = []
        self._blocks: Iterator[NDArray[np.float32]] = iter(())

    def lead_in(self) -> NDArray[np.float32]:
        """Return the sound [T, C] before the first hop, which windows reach back into. Raises ConfigError where the file is damaged."""
        missing, parts = self._take.header.lead_in_samples, [np.zeros((0, self.channels), np.float32)]
        for block_TC in self._all_blocks() if missing else ():
            parts.append(block_TC[:missing])
            missing -= len(parts[-1])
            if not missing:
                break
        return np.concatenate(parts)

    def start(self) -> None:
        self._blocks = _without_first(self._all_blocks(), self._take.header.lead_in_samples)
        self.read_samples, self.is_over = 0, False

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        """Return the next block. Raises ConfigError where the file is damaged."""
        wanted = self._take.received_samples - self.read_samples
        block_TC = next(self._blocks, None) if wanted > 0 else None
        if block_TC is None:
            if wanted > 0 and not self.is_over:
                self._notices.append(
                    f"The sound of the take ends {wanted / self.rate_hz:.2f} s before its log; the replay ends there."
                )
            self.is_over = True
            return None
        block_TC = block_TC[:wanted]
        self.read_samples += len(block_TC)
        return block_TC, None

    def wait(self, timeout_s: float) -> None:
        """Return at once: all sound is in the file."""

    def notices(self) -> list[str]:
        notices, self._notices = self._notices, []
        return notices

    def close(self) -> None:
        self._blocks = iter(())

    def _all_blocks(self) -> Iterator[NDArray[np.float32]]:
        return read_sound(self._take.folder / SOUND, self.rate_hz, self.channels)


class ReplayedControls:
    """The values in the log, in place of a ParameterStore. Setting a parameter has no effect: a replay repeats the show."""

    refused = 0
    fails_now = False
    """Whether the step of the hop whose snapshot was taken last failed in the show."""

    def __init__(self, take: Take, source: TakeSource, parameters: Iterable[Parameter] = ()) -> None:
        self.replace_parameters(parameters)
        self._take = take
        self._source = source
        self._lines = (line for line in read_lines(take.folder / LOG) if line.hop >= 0)
        self._line = next(self._lines, None)
        # A take of a version before names no parameter that came later.
        self._values: Mapping[str, Value] = MappingProxyType(
            {known.name: known.default_before for known in TABLE if known.default_before is not None}
        )
        self._early_taken = 0
        """Early steps of the current line that were given."""

    def early_sample(self, received_samples: int, last_index: int) -> int | None:
        """Return where the next early step after hop `last_index` ended in the show, once that sound is there; each is returned once."""
        line, hop_samples = self._at(last_index + 1), self._take.header.hop_samples
        if line is None or line.hop - line.skipped_hops != last_index + 1:
            # The next line may be that of a later hop.
            return None
        begin = (last_index + 1) * hop_samples
        # Anything else is damage.
        ends = [end for end in line.early_samples if begin < end < begin + hop_samples]
        if self._early_taken >= len(ends) or ends[self._early_taken] > received_samples:
            return None
        self._early_taken += 1
        return ends[self._early_taken - 1]

    def pick(self, received_samples: int, hop_samples: int, last_index: int, live: bool) -> Pick | None:
        """Return the hop that the show stepped after `last_index`, once its sound is there; None after the last. See pick_hop."""
        line = self._at(last_index + 1)
        if line is None or (self._source.is_over and line.received_samples > self._source.read_samples):
            return None
        skipped_hops = line.skipped_hops if line.hop - line.skipped_hops == last_index + 1 else 0
        index = last_index + 1 + skipped_hops
        return Pick(index, skipped_hops) if received_samples >= (index + 1) * hop_samples else None

    def take_snapshot(self, index: int) -> ControlSnapshot:
        """Return the values and events of hop `index`. Call it for the hops in their order."""
        line = self._at(index)
        if line is None or line.hop != index or line.end is not None:
            self.fails_now = False
            return ControlSnapshot(self._values, ())
        self.fails_now = line.failed
        if line.values or line.removed:
            remaining = {name: value for name, value in self._values.items() if name not in line.removed}
            # A take of the version before has the former names.
            values = {self._names.get(name, name): value for name, value in line.values.items()}
            self._values = MappingProxyType({**remaining, **values})
        return ControlSnapshot(self._values, line.events, line.beat_points)

    def values(self) -> Mapping[str, Value]:
        """Return the values of the last snapshot."""
        return self._values

    def show_events(self, index: int) -> tuple[ShowEvent, ...]:
        """Return the show events of hop `index`, that of the last snapshot. Raises ConfigError for a missing array."""
        line = self._line
        if line is None or line.hop != index:
            return ()
        return tuple(
            with_arrays(self._with_current_path(show_event), self._take.folder) for show_event in line.show_events
        )

    def find(self, name: str) -> Parameter | None:
        """Return the parameter of that name, which may be a former one; None where there is none."""
        return self.parameters.get(self._names.get(name, name))

    def set(self, name: str, given: object, *, clip: bool = True, origin: str = "") -> Applied:
        """Change nothing."""
        return Applied(self._values.get(name, 0), False)

    def stamp(self, received_samples: Callable[[], int]) -> None:
        """Change nothing: the log holds the time of each trigger."""

    def follow(self, point: BeatPoint) -> None:
        """Change nothing: the log holds the points."""

    def watch(self, callback: Callable[[], None]) -> None:
        """Change nothing: the values of a replay change from hop to hop."""

    def replace_parameters(self, parameters: Iterable[Parameter]) -> None:
        """Take the parameters of another model; their values are in the log."""
        self.parameters: Mapping[str, Parameter] = MappingProxyType({known.name: known for known in parameters})
        self._names = former_names(self.parameters.values())

    def _with_current_path(self, show_event: ShowEvent) -> ShowEvent:
        """Return a show event in which the first model has its current path."""
        is_first = show_event.get("graph_sha256") == self._take.header.graph_sha256
        return {**show_event, "model": self._take.model} if is_first else show_event

    def _at(self, index: int) -> HopLine | None:
        """Advance to the first line of hop `index` or of a later one."""
        while self._line is not None and self._line.hop < index:
            self._line = next(self._lines, None)
            self._early_taken = 0
        return self._line


class ReplayedFailures(WrappedBackend):
    """A backend that fails where it failed in the show: the result of that step is not used here either."""

    def __init__(self, inner: Backend, store: ReplayedControls) -> None:
        super().__init__(inner)
        self._store = store

    def step(self, inputs: StepInputs) -> Step:
        """Take one step. Raises BackendError when it fails, or failed in the show."""
        step = super().step(inputs)
        # A state that was not finite in the show is so again, and the session says so itself.
        if self._store.fails_now and not not_finite(step.next_state, 0):
            raise BackendError("The step failed in the show, and so it does here.")
        return step


def _without_first(blocks: Iterator[NDArray[np.float32]], samples: int) -> Iterator[NDArray[np.float32]]:
    """Yield blocks [T, C] without their first `samples`."""
    for block_TC in blocks:
        left_out = min(samples, len(block_TC))
        samples -= left_out
        if left_out < len(block_TC):
            yield block_TC[left_out:]


def _check_model(path: str, graph_sha256: str, folder: Path, way_out: str) -> None:
    try:
        card = read_card(path)
    except ModelFileError as error:
        raise ModelFileError(
            f"The take {folder} was played with {shortened(path)}: {error} If the file was moved, {way_out}."
        ) from error
    if card.graph_sha256 != graph_sha256:
        raise ModelFileError(
            f"{path} is not the model that played the take {folder}: its graph has the checksum {card.graph_sha256[:12]}…, "
            f"the take was played with {graph_sha256[:12]}…; if that file was moved, {way_out}."
        )
