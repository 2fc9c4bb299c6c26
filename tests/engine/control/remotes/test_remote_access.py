"""What remotes may do: locks and limits, which hold for every remote since none of them gets the store itself."""

from __future__ import annotations

import pytest

from engine.control.parameter_table import parameters_for
from engine.control.remotes.midi.midi_remote import MidiRemote, MidiWishes
from engine.control.remotes.midi.ports import AskedPorts
from engine.control.remotes.osc_inbox import FOREIGN_TOLD, UNKNOWN_TOLD, Inbox
from engine.control.remotes.remote_access import (
    RECALLS_AT_ONCE,
    RECORDINGS_AT_ONCE,
    SCENES_AT_ONCE,
    LockedError,
    RemoteAccess,
    locked_names,
)
from engine.core.errors import ConfigError
from tests.engine.control.remotes.test_osc import message
from tests.engine.model.probe_model import CARD

CONTROLLER = ("10.0.0.1", 9001)
LOCKED = ("flash_guard", "save_scene", "record")


@pytest.fixture
def lines() -> list[str]:
    return []


def test_a_locked_parameter_answers_and_the_terminal_is_told_once(store, clock, lines) -> None:
    inbox = Inbox(RemoteAccess(store, LOCKED, lines.append, clock), dict, clock)
    for _ in range(5):
        inbox.put(message("flash_guard", 0), CONTROLLER)
        inbox.put(message("save_scene", 3), CONTROLLER)
        inbox.put(message("record", 1), CONTROLLER)
        inbox.put(message("zoom", 2.0), CONTROLLER)
    answers = [values[0] for _, (_, values) in inbox.apply()]
    assert len(answers) == 15
    assert answers[0] == (
        "flash_guard is locked against remotes; to open it, take it out of remote_lock in the show's configuration."
    )
    assert (store.values()["flash_guard"], store.values()["record"], store.values()["zoom"]) == (True, False, 2.0)
    assert store.take_snapshot(0).events == ()
    refusal = "is locked against remotes; to open it, take it out of remote_lock in the show's configuration."
    assert lines == [
        f"OSC of 10.0.0.1 tried to set {name}. {name} {refusal} The show goes on; this is told once." for name in LOCKED
    ]
    # It can still be asked for.
    inbox.put(message("flash_guard"), CONTROLLER)
    assert inbox.apply() == [(CONTROLLER, ("/fluid/flash_guard", (True,)))]


def test_the_show_itself_sets_what_remotes_may_not(store, lines) -> None:
    access = RemoteAccess(store, LOCKED, lines.append)
    store.set("flash_guard", False)
    assert access.values()["flash_guard"] is False
    with pytest.raises(LockedError):
        access.set("flash_guard", True, origin="anyone")


def test_the_lock_holds_for_former_names(store, lines, clock) -> None:
    inbox = Inbox(RemoteAccess(store, ["hit_zoom"], lines.append, clock), dict, clock)
    inbox.put(message("hit_zoom", 0.5), CONTROLLER)
    inbox.put(message("onset_zoom", 0.5), CONTROLLER)
    inbox.put(message("onset_zoo*", 0.5), CONTROLLER)
    assert len(inbox.apply()) == 3
    assert store.values()["onset_zoom"] == 0.0


def test_whoever_may_not_recall_a_scene_may_not_play_the_next_one_either(store, lines, clock) -> None:
    access = RemoteAccess(store, ["scene"], lines.append, clock)
    for name, given in (("scene", 3), ("next_scene", True), ("playlist", True)):
        assert access.is_locked(name)
        with pytest.raises(LockedError, match=r"take (it|scene) out of remote_lock"):
            access.set(name, given, origin="osc")
    assert not access.is_locked("playlist_loop")
    assert store.take_snapshot(0).events == ()


def test_whoever_may_not_record_may_not_begin_a_take_either(store, lines, clock) -> None:
    access = RemoteAccess(store, ["record"], lines.append, clock)
    with pytest.raises(LockedError, match=r"record_take is locked .* together with record; .* take record out"):
        access.set("record_take", True, origin="anyone")
    assert not RemoteAccess(store, ["record_take"], lines.append, clock).is_locked("record")


def test_the_next_scene_comes_no_more_often_than_any_other(store, lines, clock) -> None:
    access = RemoteAccess(store, (), lines.append, clock)
    for number in range(round(RECALLS_AT_ONCE)):
        access.set(("scene", "next_scene")[number % 2], 1, origin="osc")
    for name in ("scene", "next_scene"):
        with pytest.raises(ConfigError, match="Remotes may recall 16 scenes at once"):
            access.set(name, 1, origin="osc")
    # A button that is released.
    access.set("next_scene", 0, origin="osc")


def test_several_names_stand_between_commas() -> None:
    table = {parameter.name: parameter for parameter in parameters_for(CARD)}
    assert locked_names(["record, flash_guard", "zoom"], table) == ("record", "flash_guard", "zoom")
    with pytest.raises(
        ConfigError, match=r"remote_lock names 'recrod', which is no parameter\. Did you mean 'record'\?"
    ):
        locked_names(["recrod"], table)


@pytest.mark.parametrize(("name", "what"), [("record", "recordings"), ("record_take", "takes")])
def test_recordings_begin_so_often_and_always_end(store, clock, lines, name, what) -> None:
    access = RemoteAccess(store, (), lines.append, clock)
    begun = refused = 0
    sentences = set[str]()
    # As fast as a stranger toggles, for half a minute.
    for number in range(300):
        clock.time_s += 0.1
        was_on = store.values()[name]
        try:
            access.set(name, number % 2 == 0, origin="osc")
        except ConfigError as error:
            refused += 1
            sentences.add(str(error))
        begun += store.values()[name] and not was_on
    assert RECORDINGS_AT_ONCE <= begun <= RECORDINGS_AT_ONCE + 2
    assert begun + refused == 150
    assert sentences == {
        f"Remotes may begin 3 {what} at once and then one every 20 s; switch {name} on again in a moment."
    }
    assert store.values()[name] is False
    # What stays on takes no token.
    clock.time_s += 60.0
    for _ in range(100):
        access.set(name, 1, origin="osc")
    assert store.values()[name] is True


def test_scenes_are_saved_so_often(store, clock, lines) -> None:
    access = RemoteAccess(store, (), lines.append, clock)
    refused = 0
    for number in range(1, 101):
        try:
            access.set("save_scene", number % 128, origin="osc")
        except ConfigError:
            refused += 1
    assert (len(store.take_snapshot(0).events), refused) == (SCENES_AT_ONCE, 100 - SCENES_AT_ONCE)
    # A release and a mistake take no token.
    clock.time_s += 2.0
    access.set("save_scene", 0, origin="osc")
    with pytest.raises(ConfigError, match="from 1 to 128"):
        access.set("save_scene", 1000, origin="osc")
    access.set("save_scene", 5, origin="osc")


def test_scenes_are_recalled_so_often(store, clock, lines) -> None:
    inbox = Inbox(RemoteAccess(store, (), lines.append, clock), dict, clock)
    for number in range(1, 101):
        inbox.put(message("scene", number), CONTROLLER)
    answers = [values[0] for _, (_, values) in inbox.apply()]
    assert len(store.take_snapshot(0).events) == RECALLS_AT_ONCE
    assert answers == (100 - int(RECALLS_AT_ONCE)) * [
        "Remotes may recall 16 scenes at once and then 4 a second; recall it again in a moment."
    ]
    # A sequencer recalls one on each beat, as long as it likes.
    for number in range(1, 100):
        clock.time_s += 0.25
        inbox.put(message("scene", number), CONTROLLER)
        assert inbox.apply() == []


def test_every_remote_takes_the_same_tokens(store, clock, lines) -> None:
    access = RemoteAccess(store, (), lines.append, clock)
    midi = MidiRemote(access, MidiWishes(asked=AskedPorts(ports=("pad",)), parameters={1: "record"}), None, ["nothing"])
    inbox = Inbox(access, dict, clock)
    for _ in range(10):
        midi.receive("pad", 0.0, [0xB0, 1, 127])
        midi.receive("pad", 0.0, [0xB0, 1, 0])
    assert len(lines) == 1
    assert lines[0].startswith("MIDI: Remotes may begin 3 recordings")
    inbox.put(message("record", 1), CONTROLLER)
    assert len(inbox.apply()) == 1
    assert store.values()["record"] is False


def test_unknown_addresses_are_told_once_and_not_without_end(store, clock, lines) -> None:
    inbox = Inbox(RemoteAccess(store, (), lines.append, clock), dict, clock)
    for _ in range(3):
        inbox.put(message("gain_bd", 1.0), CONTROLLER)
        inbox.put(b"/xremote\0\0\0\0,\0\0\0", CONTROLLER)
    assert lines == [
        "OSC: There is no address /fluid/gain_bd. Did you mean '/fluid/gain_db'? This is told once.",
        "OSC: There is no address /xremote. This is told once.",
    ]
    for number in range(1000):
        inbox.put(message(f"a{number}\x1b7", 1.0), CONTROLLER)
        inbox.put(b"/%04d/\x1b[2J\0\0\0,\0\0\0" % number, CONTROLLER)
        clock.time_s += 10.0
    assert len(lines) == UNKNOWN_TOLD + FOREIGN_TOLD
    assert not any("\x1b" in line for line in lines)
