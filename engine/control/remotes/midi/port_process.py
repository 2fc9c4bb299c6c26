"""Opens MIDI ports, prints what comes and sends what it is told: python -m engine.control.remotes.midi.port_process JSON

A process of its own, since an error inside the MIDI library (rtmidi2 1.5: a port that goes while it is opened, a server that
ends) ends the whole process. It imports next to nothing of the engine, so that it starts fast.

The JSON is an object: "ports" (parts of names, "virtual" or "all"), "without" (names that are left alone), "api" and "clock_out" (a part
of a name, "virtual" or null).

Each line it prints is a JSON list: ["opening", NAME], ["open", NAME, WISH, HAS_OUTPUT], ["lost", NAME], ["missing", WISH, [NAMES]] while no
port has such a name, ["no sequencer", REASON], ["midi", NAME, SECONDS, BYTE, ...], ["dropped", COUNT], ["clock out", NAME], and
several times a second ["alive"] or ["hangs", NAME], where a port does not take what it is sent.

Each line it reads is one too: ["send", NAME, [BYTE, ...], ...], ["beat", SECONDS, BEATS, TEMPO_BPM, BEATS_A_BAR], ["run", true or false],
["rewind"]. It ends when its input is closed.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from engine.control.remotes.midi.clock_ticks import ClockTicks, Transport
from engine.control.remotes.midi.jack_server import JackServer
from engine.core.clock import WallClock

VIRTUAL, ALL = "virtual", "all"
JACK = "UNIX_JACK"
"""The library's name of JACK."""
PORT_NAME = "fluid"
ALSA_SEQUENCER = Path("/dev/snd/seq")
POLL_S = 0.25
"""A device that is away for a shorter time is not missed."""
MOST_WAITING = 4096
MOST_A_TIME, REST_S = 64, 0.016
"""At most so many messages are handed on before a rest: 4,000 a second; the cable of a controller carries 1,000."""
HANGS_AFTER_S = 2.0
ENDS_AFTER_S = 0.05
_OWN = re.compile(rf"{PORT_NAME}(-\d+)?:|midi through", re.IGNORECASE)
"""Ports that "all" leaves out: our own ones, and the one that gives back what it gets."""
_OF_PORTS = {"midi", "in", "out", "input", "output", "capture", "playback", "port"}
_ALSA_NUMBER = re.compile(r"\s+\d+:\d+$")
_CLOCK, _STOP = 0xF8, 0xFC

_clock = WallClock()
_pause = threading.Event()
"""Never set."""
_printing = threading.Lock()


def say(*events: Sequence[object]) -> None:
    """Print events."""
    lines = "".join(json.dumps(event) + "\n" for event in events).encode()
    with _printing:
        while lines:
            lines = lines[os.write(sys.stdout.fileno(), lines) :]


class Inbox:
    """Messages on their way to the show. The library's threads put them, and never wait; the oldest are lost in a flood."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, float, list[int]]] = deque(maxlen=MOST_WAITING)
        self._has_come = threading.Event()
        self._put = self._taken = 0

    def receiver(self, name: str) -> Callable[[list[int], float], None]:
        """Return what takes the messages of a port."""

        def receive(message: list[int], _delta_s: float) -> None:
            self._waiting.append((name, _clock.now_s(), message))
            self._put += 1
            self._has_come.set()

        return receive

    def hand_on(self) -> NoReturn:
        """Print what comes. For a thread."""
        while True:
            self._has_come.wait()
            self._has_come.clear()
            while batch := self._take():
                say(*(["midi", name, at_s, *message] for name, at_s, message in batch))
                if len(batch) == MOST_A_TIME:
                    _pause.wait(REST_S)
            lost = self._put - self._taken - len(self._waiting)
            if lost > 0:
                self._taken += lost
                say(["dropped", lost])

    def _take(self) -> list[tuple[str, float, list[int]]]:
        batch: list[tuple[str, float, list[int]]] = []
        while self._waiting and len(batch) < MOST_A_TIME:
            batch.append(self._waiting.popleft())
        self._taken += len(batch)
        return batch


def choose(wish: str, names: Sequence[str]) -> list[str]:
    """Return the ports that a wish means: all, or the first whose name contains it."""
    if wish == ALL:
        return [name for name in names if not _OWN.match(name)]
    return [name for name in names if wish.casefold() in name.casefold()][:1]


def output_for(name: str, wish: str, outputs: Sequence[str]) -> str | None:
    """Return the output that belongs to an input: of the same name, of the same device, or the first that the wish means."""
    shortenings: tuple[Callable[[str], str], ...] = (str, _without_number, _device)
    for shorten in shortenings:
        for output in outputs:
            if shorten(output) == shorten(name) and not _OWN.match(output):
                return output
    return next(iter(choose(wish, outputs)), None) if wish != ALL else None


def _without_number(name: str) -> str:
    return _ALSA_NUMBER.sub("", name)


def _device(name: str) -> str:
    """Return the words of a name that say which device it is, and not which of its ports."""
    return " ".join(word for word in re.findall(r"[a-z]+", name.casefold()) if word not in _OF_PORTS)


class Ports:
    """All open ports. Its `poll` is called by one thread, `send` by another."""

    def __init__(self, asked: dict[str, Any], inbox: Inbox) -> None:
        self._asked = asked
        self._inbox = inbox
        self._api = asked["api"]
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._clock_name: str | None = None
        self.clock_output: Any = None
        self._listing: tuple[Any, Any] | None = None
        self._jack: JackServer | None = None
        self._sending: tuple[str, float] | None = None

    def hanging(self) -> str | None:
        """Return the port that does not take what it is sent, if there is one."""
        sending = self._sending
        return sending[0] if sending and _clock.now_s() - sending[1] > HANGS_AFTER_S else None

    def poll(self) -> None:
        """Open what is there and was asked for, and let go of what is gone. Raises RuntimeError without a sequencer."""
        if self._api == JACK and self._jack is None:
            self._jack = JackServer()
        if self._listing is None:
            self._listing = (self._made("MidiIn"), self._made("MidiOut"))
        names, outputs = list(self._listing[0].ports), list(self._listing[1].ports)
        for name in [name for name in self._inputs if name not in names and name != PORT_NAME]:
            self._close(name)
        for wish in self._asked["ports"]:
            self._open_wish(wish, names, outputs)
        if self._asked.get("clock_out"):
            self._follow_clock_out(self._asked["clock_out"], outputs)

    def send(self, name: str, messages: Sequence[Sequence[int]]) -> None:
        """Send messages to the output of a port, if it has one."""
        output = self._outputs.get(name)
        self._sending = name, _clock.now_s()
        if output is not None:
            for message in messages:
                # A device that was pulled out takes nothing.
                with suppress(RuntimeError):
                    output.send_raw(*message)
        self._sending = None

    def _open_wish(self, wish: str, names: list[str], outputs: list[str]) -> None:
        if wish == VIRTUAL:
            if PORT_NAME not in self._inputs:
                self._open(PORT_NAME, wish, None, None)
            return
        found = choose(wish, names)
        if not found:
            say(["missing", wish, [name for name in names if not _OWN.match(name)]])
        for name in found:
            if name not in self._inputs and name not in self._asked["without"]:
                output = output_for(name, wish, outputs)
                self._open(name, wish, names.index(name), None if output is None else outputs.index(output))

    def _open(self, name: str, wish: str, index: int | None, output_index: int | None) -> None:
        say(["opening", name])
        # An output that cannot be opened costs the feedback, not the input.
        with suppress(RuntimeError):
            if index is None or output_index is not None:
                self._outputs[name] = _opened(self._made("MidiOut"), output_index)
        midi_input = self._made("MidiIn")
        # The library leaves out the clock unless it is asked for.
        midi_input.ignore_types(midi_sysex=True, midi_time=False, midi_sense=True)
        midi_input.callback = self._inbox.receiver(name)
        self._inputs[name] = _opened(midi_input, index)
        say(["open", name, wish, name in self._outputs])

    def _close(self, name: str) -> None:
        midi_input = self._inputs.pop(name)
        midi_input.callback = None
        midi_input.close_port()
        output = self._outputs.pop(name, None)
        if output:
            output.close_port()
        say(["lost", name])

    def _follow_clock_out(self, wish: str, outputs: list[str]) -> None:
        if self._clock_name not in (None, PORT_NAME, *outputs):
            self.clock_output = None
            say(["lost", self._clock_name])
            self._clock_name = None
        if self.clock_output is not None:
            return
        found = [PORT_NAME] if wish == VIRTUAL else choose(wish, outputs)
        if not found:
            say(["missing", wish, [name for name in outputs if not _OWN.match(name)]])
            return
        self.clock_output = _opened(self._made("MidiOut"), None if wish == VIRTUAL else outputs.index(found[0]))
        self._clock_name = found[0]
        say(["clock out", found[0]])

    def _made(self, kind: str) -> Any:
        """Return an input or output of the MIDI library with no port open. Raises RuntimeError on a machine without a sequencer."""
        # Asked first, since the library would fail at every attempt.
        if sys.platform == "linux" and self._api == "UNSPECIFIED" and not ALSA_SEQUENCER.exists():
            raise RuntimeError(f"{ALSA_SEQUENCER} is missing (sudo modprobe snd-seq)")
        rtmidi2: Any = importlib.import_module("rtmidi2")
        return getattr(rtmidi2, kind)(PORT_NAME, api=getattr(rtmidi2, f"API_{self._api}"))


def _opened(port: Any, index: int | None) -> Any:
    if index is None:
        port.open_virtual_port(PORT_NAME)
    else:
        port.open_port(index)
    return port


class ClockOut:
    """Sends the show's clock."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._ticks, self._transport = ClockTicks(), Transport()
        self._lock = threading.Lock()
        self._has_news = threading.Event()

    def follow(self, at_s: float, beats: float, tempo_bpm: float, beats_a_bar: int) -> None:
        with self._lock:
            self._ticks.follow(at_s, beats, tempo_bpm, beats_a_bar)
        self._has_news.set()

    def run_sequencers(self, runs: bool) -> None:
        with self._lock:
            self._send(self._transport.want(runs))

    def rewind(self) -> None:
        with self._lock:
            self._send(self._transport.rewind())

    def stop(self) -> None:
        """The show ends: let sequencers stop."""
        self.run_sequencers(False)

    def run(self) -> NoReturn:
        """Send clocks when they are due. For a thread."""
        while True:
            with self._lock:
                due_s = self._ticks.due_s()
            if due_s is None or self._ports.clock_output is None:
                self._has_news.clear()
                self._has_news.wait(POLL_S)
                continue
            left_s = due_s - _clock.now_s()
            if left_s > 0.0:
                # A report of the beat moves what is due: it is asked for again after at most this time.
                _clock.sleep(min(left_s, 0.01))
                continue
            with self._lock:
                self._send([*self._transport.before_clock(self._ticks), [_CLOCK]])
                # After a long pause of the machine no clocks are made up for.
                self._ticks.sent(max(due_s, _clock.now_s() - POLL_S))

    def _send(self, messages: list[list[int]]) -> None:
        output = self._ports.clock_output
        if output is not None:
            for message in messages:
                with suppress(RuntimeError):
                    output.send_raw(*message)


def obey(ports: Ports, clock_out: ClockOut) -> None:
    """Do what the show says, until it closes the input. For a thread."""
    for line in sys.stdin.buffer:
        match json.loads(line):
            case ["send", name, *messages]:
                ports.send(name, messages)
            case ["beat", at_s, beats, tempo_bpm, beats_a_bar]:
                clock_out.follow(at_s, beats, tempo_bpm, beats_a_bar)
            case ["run", runs]:
                clock_out.run_sequencers(runs)
            case ["rewind"]:
                clock_out.rewind()
            case _:
                pass


def _obey_to_the_end(ports: Ports, clock_out: ClockOut) -> None:
    try:
        obey(ports, clock_out)
        clock_out.stop()
        # The library hands it on in its own time.
        _pause.wait(ENDS_AFTER_S)
    finally:
        # The library may hold a thread that no exit waits for.
        os._exit(0)


def serve(asked: dict[str, Any]) -> NoReturn:
    """Open the ports whenever they are there."""
    inbox = Inbox()
    ports = Ports(asked, inbox)
    clock_out = ClockOut(ports)
    threading.Thread(target=inbox.hand_on, daemon=True).start()
    threading.Thread(target=clock_out.run, daemon=True).start()
    threading.Thread(target=_obey_to_the_end, args=(ports, clock_out), daemon=True).start()
    while True:
        try:
            ports.poll()
        except RuntimeError as error:
            say(["no sequencer", str(error)])
        name = ports.hanging()
        say(["alive"] if name is None else ["hangs", name])
        _pause.wait(POLL_S)


def _leave_no_core_files() -> None:
    """An error of the library that comes again and again must not fill the disk."""
    with suppress(ImportError):
        # Windows has no such module, and no such files.
        resource: Any = importlib.import_module("resource")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    # The show ends it, after a Ctrl+C in their terminal too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _leave_no_core_files()
    serve(json.loads(sys.argv[1]))
