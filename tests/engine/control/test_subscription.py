"""Subscribers of a store: told of every change in order, in a thread of their own, and never waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.subscription import MODEL_ORIGIN, StoreChange
from engine.core.errors import UserError
from tests.engine.model.probe_model import CARD

PARAMETERS = parameters_for(CARD)
WITHIN_S = 10.0


class Mirror:
    """A subscriber that follows a store, and can be held up."""

    def __init__(self, store: ParameterStore, fails: Callable[[StoreChange], None] = lambda change: None) -> None:
        self.changes: list[StoreChange] = []
        self.values: dict[str, object] = {}
        self.thread = 0
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Event()
        self._fails = fails
        self._told = threading.Condition()
        self.subscription = store.subscribe(self.follow, "mirror")

    def follow(self, change: StoreChange) -> None:
        self.entered.set()
        assert self.free.wait(WITHIN_S)
        with self._told:
            self.thread = threading.get_ident()
            self.changes.append(change)
            if change.parameters is not None:
                self.values.clear()
            self.values.update(change.values)
            self._told.notify_all()
        self._fails(change)

    def wait_for(self, condition: Callable[[], object]) -> None:
        with self._told:
            assert self._told.wait_for(condition, WITHIN_S)

    def hold(self, store: ParameterStore) -> None:
        """Return once the subscriber is held up inside its callback."""
        self.wait_for(lambda: self.changes)
        self.free.clear()
        self.entered.clear()
        store.set("seed", 1)
        assert self.entered.wait(WITHIN_S)


def test_the_first_change_brings_the_whole_table_and_all_values() -> None:
    store = ParameterStore(PARAMETERS, {"glow": 0.5})
    mirror = Mirror(store)
    mirror.wait_for(lambda: mirror.changes)
    first = mirror.changes[0]
    assert first.values == store.values()
    assert first.parameters == store.parameters
    assert mirror.thread != threading.get_ident()
    mirror.subscription.close()


def test_a_change_has_its_new_value_and_its_origin() -> None:
    store = ParameterStore(PARAMETERS)
    mirror = Mirror(store)
    mirror.wait_for(lambda: mirror.changes)
    store.set("gain_db", 100, origin="osc")
    mirror.wait_for(lambda: len(mirror.changes) == 2)
    assert mirror.changes[1] == ({"gain_db": 40.0}, {"gain_db": "osc"}, None)
    store.set("tap", True, origin="midi")
    mirror.wait_for(lambda: len(mirror.changes) == 3)
    assert mirror.changes[2] == ({"tap": 1}, {"tap": "midi"}, None)
    mirror.subscription.close()


def test_values_that_stay_the_same_and_refused_ones_are_not_told() -> None:
    store = ParameterStore(PARAMETERS)
    mirror = Mirror(store)
    mirror.wait_for(lambda: mirror.changes)
    store.set("glow", 0.0)
    store.set("scene", 3)
    with pytest.raises(UserError):
        store.set("glow", "bright")
    store.set("zoom", 2.0)
    mirror.wait_for(lambda: len(mirror.changes) == 2)
    assert mirror.changes[1].values == {"zoom": 2.0}
    mirror.subscription.close()


def test_another_models_table_comes_with_all_its_values() -> None:
    store = ParameterStore(PARAMETERS, {"gain": 3.0})
    mirror = Mirror(store)
    mirror.wait_for(lambda: mirror.changes)
    store.replace_parameters([parameter for parameter in PARAMETERS if parameter.name != "gain"])
    mirror.wait_for(lambda: len(mirror.changes) == 2)
    change = mirror.changes[1]
    assert change.parameters is not None
    assert "gain" not in change.parameters
    assert "gain" not in change.values
    assert set(change.origins.values()) == {MODEL_ORIGIN}
    mirror.subscription.close()


def test_a_slow_subscriber_delays_nobody_and_gets_the_last_values() -> None:
    store = ParameterStore(PARAMETERS)
    slow, quick = Mirror(store), Mirror(store)
    slow.hold(store)
    for number in range(1000):
        store.set("gain_db", number % 40, origin=f"remote {number}")
    assert store.take_snapshot(0).values["gain_db"] == 999 % 40
    quick.wait_for(lambda: quick.values["gain_db"] == 999 % 40)
    slow.free.set()
    slow.wait_for(lambda: slow.values["gain_db"] == 999 % 40)
    # The first table, what came while it was held up, and all that waited then in one change.
    assert len(slow.changes) == 3
    assert slow.changes[2].origins == {"gain_db": "remote 999"}
    for mirror in (slow, quick):
        mirror.subscription.close()


def test_a_table_and_the_values_after_it_come_together_where_both_wait() -> None:
    store = ParameterStore(PARAMETERS, {"gain": 3.0})
    mirror = Mirror(store)
    mirror.hold(store)
    store.set("gain", 1.0)
    store.replace_parameters([parameter for parameter in PARAMETERS if parameter.name != "gain"])
    store.set("glow", 0.7, origin="osc")
    mirror.free.set()
    mirror.wait_for(lambda: len(mirror.changes) == 3)
    last = mirror.changes[2]
    assert last.values == store.values()
    assert (last.origins["glow"], last.origins["zoom"]) == ("osc", MODEL_ORIGIN)
    mirror.subscription.close()


def test_a_mirror_ends_with_the_values_of_the_store_whatever_threads_set() -> None:
    store = ParameterStore(PARAMETERS)
    mirror = Mirror(store)

    def remote(origin: str) -> None:
        for number in range(300):
            store.set("gain_db", number % 37, origin=origin)
            store.set("reset", True, origin=origin)
            store.set(("glow", "trail", "zoom")[number % 3], 1.0 + number / 300, origin=origin)

    def models() -> None:
        without = [parameter for parameter in PARAMETERS if parameter.name != "gain"]
        for number in range(60):
            store.replace_parameters(PARAMETERS if number % 2 else without)

    threads = [threading.Thread(target=remote, args=(name,)) for name in ("osc", "midi", "keys")]
    threads.append(threading.Thread(target=models))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mirror.wait_for(lambda: mirror.values == store.values())
    resets = [change.values["reset"] for change in mirror.changes if "reset" in change.values]
    assert resets == sorted(resets)
    assert resets[-1] == 900
    mirror.subscription.close()


def test_a_failing_subscriber_costs_one_notice_and_is_told_again() -> None:
    lines: list[str] = []
    store = ParameterStore(PARAMETERS, notify=lines.append)

    def fail(change: StoreChange) -> None:
        raise OSError("network is unreachable")

    mirror = Mirror(store, fail)
    for number in range(1, 4):
        mirror.wait_for(lambda n=number: len(mirror.changes) == n)
        store.set("seed", number)
    mirror.wait_for(lambda: len(mirror.changes) == 4)
    mirror.subscription.close()
    assert lines == ["mirror could not follow a change (network is unreachable). The show goes on."]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_a_subscriber_ends_its_subscription_alone() -> None:
    lines: list[str] = []
    noticed = threading.Event()
    store = ParameterStore(PARAMETERS, notify=lambda line: (lines.append(line), noticed.set()))

    def fail(change: StoreChange) -> None:
        raise ZeroDivisionError

    faulty, sound = Mirror(store, fail), Mirror(store)
    assert noticed.wait(WITHIN_S)
    store.set("glow", 0.5)
    sound.wait_for(lambda: sound.values.get("glow") == 0.5)
    assert len(faulty.changes) == 1
    assert lines == ["mirror failed and is no longer told of changes. The show goes on."]
    sound.subscription.close()
    # Waits for the thread's end, so that its traceback is counted to this test and not to the next.
    faulty.subscription.close()


def test_nothing_is_told_after_the_end_which_a_subscriber_may_bring_about_itself() -> None:
    store = ParameterStore(PARAMETERS)
    mirror = Mirror(store)
    mirror.wait_for(lambda: mirror.changes)
    mirror.subscription.close()
    mirror.subscription.close()
    store.set("glow", 0.5)
    assert len(mirror.changes) == 1
    ended = Mirror(store, lambda change: ended.subscription.close() if change.parameters is None else None)
    ended.wait_for(lambda: ended.changes)
    store.set("glow", 0.6)
    ended.wait_for(lambda: len(ended.changes) == 2)
    store.set("glow", 0.7)
    other = Mirror(store)
    other.wait_for(lambda: other.changes)
    assert len(ended.changes) == 2
    other.subscription.close()


def test_a_watcher_is_called_at_once_by_whoever_changes_a_value() -> None:
    store, seen = ParameterStore(PARAMETERS), list[tuple[int, object]]()
    store.watch(lambda: seen.append((threading.get_ident(), store.values()["glow"])))
    store.set("glow", 0.5)
    store.set("glow", 0.5)
    store.replace_parameters(PARAMETERS)
    assert seen == [(threading.get_ident(), 0.5)] * 2
