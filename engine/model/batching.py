"""Several sessions on one backend: a model file exported with `--batch B` takes B steps together.

    batcher = StepBatcher(open_backend("model-4.onnx"))
    session = Session(batcher.join(), seed=7)        # one for each slot; it plays like any other session

Each slot has its own state, seed, controls and hop index, and gets the frames that it would get alone; on onnx-cpu they are
bit-exact. The slots share one device, so they share its steps: a slot that asks for a step waits for the others, at most
`patience_s`, and those that have asked are stepped. A slot that stays away is not waited for again until it asks. State is a
value (docs/design.md §3): a slot without a new window keeps the state it has. The step gets silence in its place, and what comes
out there is ignored.

A model file without a batch needs none of this: several sessions may share its backend and take turns. See docs/batching.md.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import BackendError, ModelFileError
from engine.model.backend import Backend, LazyState, OpenedModel, is_on_device
from engine.model.step import State, Step, StepInputs, resting_inputs

PATIENCE_HOPS = 0.25
"""How long a slot waits for the others by default, in hops."""


class SlotState(LazyState):
    """The state of one slot: a view into the state of the batch, copied only when it has to outlive that."""

    def __init__(self, batch_state: State, index: int) -> None:
        self._batch_state = batch_state
        self._index = index
        self._copy: dict[str, NDArray[np.float32]] | None = None

    @property
    def on_device(self) -> bool:
        """Whether looking at a value copies the state to the host."""
        return self._copy is None and is_on_device(self._batch_state)

    def detach(self) -> None:
        """Copy the values of this slot, so that the state of the batch may be overwritten."""
        if self._copy is None:
            self._copy = {name: np.array(values[self._index]) for name, values in self._batch_state.items()}
            self._batch_state = self._copy

    def is_view_of(self, batch_state: State, index: int) -> bool:
        """Whether this is still the view of slot `index` in that state of the batch."""
        return self._batch_state is batch_state and self._index == index

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        # The step of another slot may detach this state meanwhile, so the state of the batch is read first.
        batch_state, copy = self._batch_state, self._copy
        return batch_state[name][self._index] if copy is None else copy[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._batch_state)

    def __len__(self) -> int:
        return len(self._batch_state)


class BatchSlot(OpenedModel):
    """One slot of a batch. To a session it is a backend, with the card of a model file without a batch."""

    def __init__(self, batcher: StepBatcher, index: int) -> None:
        description = f"{batcher.backend.description}, batch slot {index + 1} of {batcher.capacity}"
        super().__init__(batcher.backend.name, description, batcher.card)
        self._batcher = batcher
        self.index = index
        self.last_state: SlotState | None = None

    def step(self, inputs: StepInputs) -> Step:
        """Take one step together with the other slots; it waits for them, see the module. Raises BackendError."""
        return self._batcher.step_with_others(self, inputs)

    def leave(self) -> None:
        """Free the slot, between two steps. Its session must not be stepped again."""
        self._batcher.leave(self)


@dataclass(slots=True)
class _PendingStep:
    """The inputs gathered for the next step of the batch, and its result."""

    requests: dict[BatchSlot, StepInputs] = field(default_factory=dict[BatchSlot, StepInputs])
    is_over: bool = False
    steps: dict[BatchSlot, Step] = field(default_factory=dict[BatchSlot, Step])
    error: BackendError | None = None


class StepBatcher:
    """The slots of a backend whose model file has a batch. Each slot may be stepped from a thread of its own."""

    def __init__(self, backend: Backend, patience_s: float | None = None) -> None:
        """Raises ModelFileError for a model file without a batch."""
        if backend.card.batch == 1:
            raise ModelFileError(
                f"'{backend.card.name}' was exported without a batch; let several sessions share its backend, "
                "or export it with: python -m export.to_onnx CHECKPOINT --batch 4 -o MODEL.onnx"
            )
        self.backend = backend
        self.capacity = backend.card.batch
        self.card = replace(backend.card, batch=1)
        self.patience_s = PATIENCE_HOPS * self.card.hop_s if patience_s is None else patience_s
        self._resting = resting_inputs(backend.card)
        self._slots: dict[int, BatchSlot] = {}
        self._last_state: State = backend.initial_state()
        self._changed = threading.Condition()
        self._stepping = threading.Lock()
        self._pending = _PendingStep()
        self._not_awaited: set[BatchSlot] = set()

    @property
    def slots(self) -> tuple[BatchSlot, ...]:
        """The slots in use, in order."""
        with self._changed:
            return tuple(self._slots[index] for index in sorted(self._slots))

    def join(self) -> BatchSlot:
        """Return the first free slot. Raises BackendError when there is none."""
        with self._changed:
            free = [index for index in range(self.capacity) if index not in self._slots]
            if not free:
                raise BackendError(
                    f"'{self.card.name}' has {self.capacity} batch slots and all are in use; free one, "
                    "or export the model again with a larger --batch."
                )
            slot = BatchSlot(self, free[0])
            self._slots[slot.index] = slot
            return slot

    def leave(self, slot: BatchSlot) -> None:
        """Free a slot; the others no longer wait for it."""
        with self._changed:
            assert self._slots.get(slot.index) is slot, "the slot was freed already"
            assert slot not in self._pending.requests, "a slot is freed between its steps"
            del self._slots[slot.index]
            self._not_awaited.discard(slot)
            self._changed.notify_all()

    def step_with_others(self, slot: BatchSlot, inputs: StepInputs) -> Step:
        """Take part in the next step of the batch. The last slot that asks, or the first whose patience ends, takes it for all."""
        with self._changed:
            assert self._slots.get(slot.index) is slot, "the slot was freed"
            mine = self._pending
            mine.requests[slot] = inputs
            self._not_awaited.discard(slot)
            self._changed.notify_all()
            self._changed.wait_for(lambda: mine is not self._pending or self._is_complete(mine), self.patience_s)
            takes_it = mine is self._pending
            if takes_it:
                self._pending = _PendingStep()
                self._not_awaited |= set(self._slots.values()) - mine.requests.keys()
        if takes_it:
            self._take(mine)
        with self._changed:
            self._changed.wait_for(lambda: mine.is_over)
        if mine.error is not None:
            raise BackendError(str(mine.error)) from mine.error
        return mine.steps[slot]

    def _is_complete(self, pending: _PendingStep) -> bool:
        return all(slot in pending.requests or slot in self._not_awaited for slot in self._slots.values())

    def _take(self, pending: _PendingStep) -> None:
        try:
            pending.steps = self.step(pending.requests)
        except BackendError as error:
            pending.error = error
        finally:
            with self._changed:
                pending.is_over = True
                self._changed.notify_all()

    def step(self, requests: Mapping[BatchSlot, StepInputs]) -> dict[BatchSlot, Step]:
        """Step the given slots without waiting. Raises BackendError when the step fails; no state has changed then."""
        with self._stepping:
            came = self.backend.step(StepInputs(self._batch_arrays(requests), self._batch_states(requests)))
            self._last_state = came.next_state
            steps: dict[BatchSlot, Step] = {}
            for slot in requests:
                slot.last_state = SlotState(self._last_state, slot.index)
                outputs = {name: values[slot.index] for name, values in came.outputs.items()}
                layers = came.layers.of_slot(slot.index) if came.layers else None
                steps[slot] = Step(
                    came.pixels_HWC[slot.index], came.features_F[slot.index], slot.last_state, outputs, layers
                )
            return steps

    def _batch_arrays(self, requests: Mapping[BatchSlot, StepInputs]) -> dict[str, NDArray[Any]]:
        """Return all inputs but the states, with those at rest in the slots that ask for no step."""
        arrays = {name: np.array(values) for name, values in self._resting.without_states.items()}
        for slot, inputs in requests.items():
            for name, value in inputs.without_states.items():
                arrays[name][slot.index] = value
        return arrays

    def _batch_states(self, requests: Mapping[BatchSlot, StepInputs]) -> State:
        """Return the states of all slots. A requested state is copied in only where it is not there already."""
        for slot in self.slots:
            # The next step overwrites its values, on a device perhaps in place.
            if slot not in requests and slot.last_state is not None:
                slot.last_state.detach()
        moved = {
            slot: inputs.states
            for slot, inputs in requests.items()
            if not (isinstance(inputs.states, SlotState) and inputs.states.is_view_of(self._last_state, slot.index))
        }
        if not moved:
            return self._last_state
        batch_state = {name: np.array(values) for name, values in self._last_state.items()}
        for slot, state in moved.items():
            for name, values in batch_state.items():
                values[slot.index] = state[name]
        return batch_state
