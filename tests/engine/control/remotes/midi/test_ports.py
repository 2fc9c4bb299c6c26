"""The process that opens ports: what it says, what it is told, and what becomes of a show when it hangs or never reads."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from engine.control.remotes.midi.port_process import choose, output_for
from engine.control.remotes.midi.ports import HANGS_AFTER_S, MOST_UNSENT, AskedPorts, MidiPorts
from tests.fixtures_display import wait_until


class Listener:
    """Hlistener what ports say."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def opened(self, port: str, wish: str, has_output: bool) -> None:
        self.heard.append(("opened", port, wish, has_output))

    def lost(self, port: str) -> None:
        self.heard.append(("lost", port))

    def receive(self, port: str, at_s: float, message: Sequence[int]) -> None:
        self.heard.append((port, at_s, *message))

    def look(self) -> None:
        pass


class FastClock:
    """Time that passes a hundred times as fast."""

    def now_s(self) -> float:
        return 100.0 * time.monotonic()

    def sleep(self, duration_s: float) -> None:
        time.sleep(0.01 * duration_s)


Opened = tuple[MidiPorts, Listener, list[str]]


@pytest.fixture
def opened() -> Iterator[Callable[[str], Opened]]:
    made = list[MidiPorts]()

    def open_with(script: str, clock: FastClock | None = None) -> Opened:
        listener, lines = Listener(), list[str]()
        command = [
            sys.executable,
            "-c",
            f"import sys, time, functools\nprint = functools.partial(print, flush=True)\n{script}",
        ]
        ports = MidiPorts(AskedPorts(ports=("all",)), listener, lines.append, command, clock)
        made.append(ports)
        ports.start()
        return ports, listener, lines

    yield open_with
    for ports in made:
        ports.close()


def test_messages_come_with_their_times_and_nonsense_is_nothing(opened) -> None:
    script = """
for line in ('["open", "pad", "all", true]', '["midi", "pad", 12.5, 248]', '[]', 'null', '{"midi": 1}', '["midi"]', '["midi", 1, 2, 3]',
             '["open", 3]', '["lost", null]', '["hangs"]', '["midi", "pad", 12.75, 176, 1, 2]', '["lost", "pad"]'):
    print(line)
sys.stdin.read()
"""
    _, listener, lines = opened(script)
    wait_until(lambda: ("lost", "pad") in listener.heard, "the end of the port")
    assert listener.heard == [
        ("opened", "pad", "all", True),
        ("pad", 12.5, 248),
        ("pad", 12.75, 176, 1, 2),
        ("lost", "pad"),
    ]
    assert lines == ["midi     pad", "The MIDI port 'pad' was lost; it is opened again as soon as it returns."]


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ('["opening", "pad"]', "The MIDI port 'pad' hangs; it is left alone. The show goes on."),
        ('["alive"]', "MIDI: the library hangs; it is started again. The show goes on."),
        ('["hangs", "pad"]', "The MIDI port 'pad' hangs; it is left alone. The show goes on."),
    ],
)
def test_a_process_that_hangs_is_ended_with_a_line(opened, said: str, line: str) -> None:
    assert HANGS_AFTER_S < 100.0
    _, _, lines = opened(f"print('{said}')\ntime.sleep(600)", FastClock())
    wait_until(lambda: line in lines, "the line")


def test_what_it_is_told_arrives_in_order(opened) -> None:
    ports, listener, _ = opened("""
import json
print('["open", "pad", "all", true]')
for line in sys.stdin:
    print(json.dumps(["midi", "pad", 1.0, *json.loads(line)[2]]))
""")
    wait_until(lambda: listener.heard, "the port")
    for number in range(50):
        ports.send("pad", [[0xB0, 1, number]])
    wait_until(lambda: len(listener.heard) == 51, "all messages")
    assert listener.heard[1:] == [("pad", 1.0, 0xB0, 1, number) for number in range(50)]


def test_a_process_that_never_reads_holds_nobody(opened) -> None:
    ports, listener, lines = opened('print(\'["open", "pad", "all", true]\')\ntime.sleep(600)')
    wait_until(lambda: listener.heard, "the port")
    for _ in range(3 * MOST_UNSENT):
        ports.send("pad", [[0xB0, 1, 2]] * 20)
    ports.close()
    assert lines == ["midi     pad"]


def test_a_wish_is_a_part_of_a_name_and_all_leaves_our_own_out() -> None:
    names = ["Midi Through:Midi Through Port-0 14:0", "fluid:fluid 128:0", "nano:nano MIDI 1 20:0", "pad:pad 24:0"]
    assert choose("NANO", names) == ["nano:nano MIDI 1 20:0"]
    assert choose("all", names) == names[2:]
    assert choose("missing", names) == []


@pytest.mark.parametrize(
    ("name", "wish", "outputs", "output"),
    [
        ("nano:nano MIDI 1 20:0", "nano", ["pad 24:0", "nano:nano MIDI 1 20:0"], "nano:nano MIDI 1 20:0"),
        ("nano:nano MIDI 1 20:0", "all", ["nano:nano MIDI 1 28:0"], "nano:nano MIDI 1 28:0"),
        (
            "a2j:nano (capture): MIDI 1",
            "all",
            ["a2j:pad (playback): MIDI 1", "a2j:nano (playback): MIDI 1"],
            "a2j:nano (playback): MIDI 1",
        ),
        ("SLIDER/ROTARY", "nano", ["nano CTRL"], "nano CTRL"),
        ("SLIDER/ROTARY", "all", ["nano CTRL"], None),
        ("pad", "all", ["fluid:fluid 128:0"], None),
    ],
)
def test_feedback_goes_to_the_output_of_the_same_device(name: str, wish: str, outputs: list[str], output) -> None:
    assert output_for(name, wish, outputs) == output
