"""Many rooms or screens at play from one backend: a model file exported for B rooms takes their steps together.

    rooms = Rooms(open_backend("model-4.onnx"))
    session = Session(rooms.join(), seed=7)        # one a room; whatever plays a session plays a room

Each room has its own state, seed, controls and hop index, and gets the pictures that it would get alone; on onnx-cpu to the
bit. Rooms come and go without a trace in the others. They share one device, so they share its steps: a room that asks waits
until the others have asked too, at most `patience_s`, and those who came are stepped; who stayed away is not waited for again
until it asks. State is a value (docs/design.md §3): a room that had no new window keeps the one it has, its place in the step is
filled with silence, and the outcome is ignored.

A file of one room needs none of this: several sessions may share its backend and take turns. See docs/rooms.md.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import BackendError, ModelFileError
from engine.model.backends.backend import Arrays, Backend, OpenedModel, Step

# T audio samples; B rooms; H W C picture rows, columns, channels; F feature bands

PATIENCE_HOPS = 0.25
"""How long a room waits for the others by default, in hops."""


class SlotRequest(NamedTuple):
    """What one room wants played: the arguments of `Backend.step`."""

    audio_T: NDArray[np.float32]
    controls: Mapping[str, float]
    noise: Arrays
    state: Arrays


class SlotState(Mapping[str, NDArray[np.float32]]):
    """The state of one room within that of all: looked at where it lies, copied only when the rooms part."""

    def __init__(self, whole: Arrays, place: int) -> None:
        self._whole = whole
        self._place = place
        self._kept: dict[str, NDArray[np.float32]] | None = None

    @property
    def on_device(self) -> bool:
        """Whether looking at it fetches it; see engine/model/backends/backend.py."""
        return self._kept is None and bool(getattr(self._whole, "on_device", False))

    def keep(self) -> None:
        """Take a copy of what is this room's alone."""
        if self._kept is None:
            self._kept = {name: np.array(values[self._place]) for name, values in self._whole.items()}
            self._whole = self._kept

    def lies_in(self, whole: Arrays, place: int) -> bool:
        """Whether it is still this place in that state of all."""
        return self._whole is whole and self._place == place

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        # The step of others may keep it meanwhile: the state of all is taken first, then looked whether it still counts.
        whole, kept = self._whole, self._kept
        return whole[name][self._place] if kept is None else kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


class BatchSlot(OpenedModel):
    """One place in a step for several: to a session it is a backend of its own, with the card of a file of one room."""

    def __init__(self, rooms: StepBatcher, place: int) -> None:
        description = f"{rooms.backend.description}, room {place + 1} of {rooms.capacity}"
        super().__init__(rooms.backend.name, description, rooms.card)
        self._rooms = rooms
        self.place = place
        self.last_state: SlotState | None = None

    def step(self, audio_T: NDArray[np.float32], controls: Mapping[str, float], noise: Arrays, state: Arrays) -> Step:
        """Take one step together with the other rooms; waits for them, as the module says. Raises BackendError as they do."""
        return self._rooms.meet(self, SlotRequest(audio_T, controls, noise, state))

    def leave(self) -> None:
        """Give the place back, between two steps. The session that played it is over."""
        self._rooms.leave(self)


@dataclass(slots=True)
class _Gathering:
    """Those who have asked for the next step, and what became of it."""

    asked: dict[BatchSlot, SlotRequest] = field(default_factory=dict[BatchSlot, SlotRequest])
    is_over: bool = False
    came: dict[BatchSlot, Step] = field(default_factory=dict[BatchSlot, Step])
    error: BackendError | None = None


class StepBatcher:
    """A backend whose file has several rooms, and who is in them. Rooms may be played from threads of their own."""

    def __init__(self, backend: Backend, patience_s: float | None = None) -> None:
        """Raises ModelFileError for the file of a single room."""
        if backend.card.rooms == 1:
            raise ModelFileError(
                f"'{backend.card.name}' was exported for one room; let several sessions share its backend, "
                "or export it for more with: python -m export.to_onnx CHECKPOINT --rooms 4 -o MODEL.onnx"
            )
        self.backend = backend
        self.capacity = backend.card.rooms
        self.card = replace(backend.card, rooms=1)
        self.patience_s = PATIENCE_HOPS * self.card.hop_s if patience_s is None else patience_s
        self._present: dict[int, BatchSlot] = {}
        self._newest: Arrays = backend.initial_state()
        self._changed = threading.Condition()
        self._stepping = threading.Lock()
        self._gathering = _Gathering()
        self._not_awaited: set[BatchSlot] = set()

    @property
    def present(self) -> tuple[BatchSlot, ...]:
        """Those who are in, by place."""
        with self._changed:
            return tuple(self._present[place] for place in sorted(self._present))

    def join(self) -> BatchSlot:
        """Take the first free place. Raises BackendError when there is none."""
        with self._changed:
            free = [place for place in range(self.capacity) if place not in self._present]
            if not free:
                raise BackendError(
                    f"'{self.card.name}' has {self.capacity} rooms and all are taken; let one leave, "
                    "or export the model again with a higher --rooms."
                )
            room = BatchSlot(self, free[0])
            self._present[room.place] = room
            return room

    def leave(self, room: BatchSlot) -> None:
        """Take a room's place away; the others no longer wait for it."""
        with self._changed:
            assert self._present.get(room.place) is room, "the room has left already"
            assert room not in self._gathering.asked, "a room leaves between its steps"
            del self._present[room.place]
            self._not_awaited.discard(room)
            self._changed.notify_all()

    def meet(self, room: BatchSlot, asked: SlotRequest) -> Step:
        """Take part in the next step: wait for the others, or take it for all when this is the last or patience ends."""
        with self._changed:
            assert self._present.get(room.place) is room, "the room has left"
            mine = self._gathering
            mine.asked[room] = asked
            self._not_awaited.discard(room)
            self._changed.notify_all()
            self._changed.wait_for(lambda: mine is not self._gathering or self._is_complete(mine), self.patience_s)
            takes_it = mine is self._gathering
            if takes_it:
                self._gathering = _Gathering()
                self._not_awaited |= set(self._present.values()) - mine.asked.keys()
        if takes_it:
            self._take(mine)
        with self._changed:
            self._changed.wait_for(lambda: mine.is_over)
        if mine.error is not None:
            raise BackendError(str(mine.error)) from mine.error
        return mine.came[room]

    def _is_complete(self, gathering: _Gathering) -> bool:
        return all(r in gathering.asked or r in self._not_awaited for r in self._present.values())

    def _take(self, gathering: _Gathering) -> None:
        try:
            gathering.came = self.step(gathering.asked)
        except BackendError as error:
            gathering.error = error
        finally:
            with self._changed:
                gathering.is_over = True
                self._changed.notify_all()

    def step(self, asked: Mapping[BatchSlot, SlotRequest]) -> dict[BatchSlot, Step]:
        """Step the rooms that ask, without waiting for anyone. Raises BackendError when the step fails; no state has changed then."""
        with self._stepping:
            state = self._whole_state(asked)
            audio_BT, knobs, noises = self._inputs(asked)
            pixels_BHWC, features_BF, self._newest = self.backend.step(audio_BT, knobs, noises, state)
            steps: dict[BatchSlot, Step] = {}
            for room in asked:
                room.last_state = SlotState(self._newest, room.place)
                steps[room] = Step(pixels_BHWC[room.place], features_BF[room.place], room.last_state)
            return steps

    def _inputs(self, asked: Mapping[BatchSlot, SlotRequest]) -> tuple[NDArray[np.float32], Any, Arrays]:
        """Return sound, controls (one value a room where a single room has a scalar) and noise; silence where nobody asks."""
        shapes = {info.name: info.shape for info in self.backend.card.inputs()}
        audio_BT = np.zeros(shapes["audio"], np.float32)
        knobs = {spec.name: np.full(shapes[spec.name], spec.default, np.float32) for spec in self.card.controls}
        noises = {spec.name: np.zeros(shapes[spec.name], np.float32) for spec in self.card.noises}
        given = {**knobs, **noises}
        for room, (audio_T, controls, noise, _) in asked.items():
            audio_BT[room.place] = audio_T
            for name, value in (*controls.items(), *noise.items()):
                given[name][room.place] = value
        return audio_BT, knobs, noises

    def _whole_state(self, asked: Mapping[BatchSlot, SlotRequest]) -> Arrays:
        """Return the states of all places; what those who ask bring with them is copied in only where it is not there already."""
        for room in self.present:
            # The next step overwrites its place, and on a device perhaps the memory.
            if room not in asked and room.last_state is not None:
                room.last_state.keep()
        moved = {
            room: state
            for room, (*_, state) in asked.items()
            if not (isinstance(state, SlotState) and state.lies_in(self._newest, room.place))
        }
        if not moved:
            return self._newest
        whole = {name: np.array(values) for name, values in self._newest.items()}
        for room, state in moved.items():
            for name, values in whole.items():
                values[room.place] = state[name]
        return whole
