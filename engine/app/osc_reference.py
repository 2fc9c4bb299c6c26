"""Writes docs/osc.md from the parameter table and the cards of the models shipped: python -m engine.app.osc_reference > docs/osc.md"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.app.config import DEFAULT_MODEL, DEFAULT_OSC_PORT, SETTINGS
from engine.control.parameter import Parameter
from engine.control.parameter_table import TABLE, parameters_for
from engine.control.remotes.osc_addresses import ERROR, PING, PONG, PREFIX, STATS, SUBSCRIBE, UNSUBSCRIBE, address
from engine.control.remotes.osc_feedback import MOST_A_SECOND, REFRESHES_AFTER_S, TIMES_A_SECOND
from engine.control.remotes.osc_inbox import FOREIGN_TOLD, UNKNOWN_TOLD, Counts
from engine.control.remotes.osc_limits import ANSWERS_A_SECOND, SENDER_ANSWERS_A_SECOND
from engine.control.remotes.osc_patterns import LONGEST_PATTERN, NEW_PATTERNS_A_SECOND
from engine.control.remotes.osc_schedule import MOST_AHEAD_S, MOST_SCHEDULED
from engine.control.remotes.osc_stream import LARGEST_FRAME_BYTES
from engine.control.remotes.osc_subscribers import (
    EXPIRES_S,
    LOWEST_PORT,
    MOST_SUBSCRIBERS,
    TABLES_A_SECOND,
    TABLES_AT_ONCE,
)
from engine.control.remotes.osc_tcp import MOST_CONNECTIONS
from engine.control.remotes.osc_telemetry import TOLD, WHOLE_EVERY_S
from engine.control.remotes.remote_access import (
    RECALLS_A_SECOND,
    RECALLS_AT_ONCE,
    RECORDINGS_A_SECOND,
    RECORDINGS_AT_ONCE,
    SCENES_A_SECOND,
    SCENES_AT_ONCE,
)
from engine.model.card import ModelCard
from engine.model.file import read_card


def _former_addresses() -> str:
    renamed = [
        f"`{address(former)}` is now `{address(parameter.name)}`"
        for parameter in TABLE
        for former in parameter.former_names
    ]
    return f"- Addresses of the version before work until the next version: {', '.join(renamed)}.\n" if renamed else ""


def _told() -> str:
    return "\n".join(f"| `{told.address}` | {told.types} | {told.help} |" for told in TOLD)


MODELS = Path(DEFAULT_MODEL).parent
_MODULE = __spec__.name if __spec__ else __name__
_HEAD = f"""# OSC reference

Generated from the parameter table and the model cards; do not edit. Write it again with:

```
python -m {_MODULE} > docs/osc.md
```

The show receives OSC on UDP port {DEFAULT_OSC_PORT} of 127.0.0.1. `--osc-host 0.0.0.0` admits other machines, `--osc-host ::` those with IPv6 too, `--osc-port` takes
another port, `--no-osc` turns OSC off. An IPv6 address may stand in brackets: `::1` or `[::1]`; the port is never a part of it. There is no password, so name who
may send with `--osc-allow 10.0.0.0/24`, and lock what nobody may set with `--remote-lock record`; [security.md](security.md) says what others can do.

- Send `ADDRESS value`. Numbers may be of OSC type i, h, f or d, whole or not; a text is refused, also one that holds a number. A parameter that chooses among names
  takes a name as well as its number.
- Switches and buttons: a number above 0 or T is on or pressed; 0, F and numbers below are off or released. So 1, 1.0, 127 and 0.7 press. A button that
  never sends 0 presses each time. I, N or no value at all press a trigger too.
- A scene takes its number, as i, h, f or d; T, I and N are refused there.
- A number out of range is clipped, and the sender gets `{ERROR} "sentence"`.
- A scene number out of range is refused, and 0 is a button that was released.
- A message that is not understood changes nothing, is counted, and is answered with `{ERROR} "sentence"`.
- A locked parameter (`remote_lock`) is not set, and the sender is told; it can still be asked for.
- Remotes may recall {RECALLS_AT_ONCE:g} scenes at once and then {RECALLS_A_SECOND:g} a second, save {SCENES_AT_ONCE:g} scenes at once and then one every {1 / SCENES_A_SECOND:g} s, and begin {RECORDINGS_AT_ONCE:g} recordings, and as many takes, at once and then one every {1 / RECORDINGS_A_SECOND:g} s.
- Address patterns of OSC 1.0 work: `{PREFIX}onset_*`, `{PREFIX}{{zoom,glow}}`, `{PREFIX}[a-c]*`, `{PREFIX}z??m`, `/*/zoom`. A pattern sets every parameter that it matches,
  and without a value asks for them. It presses triggers with a value, or when it matches triggers alone; it reaches no scene. It has at most
  {LONGEST_PATTERN} characters, and at most {NEW_PATTERNS_A_SECOND:g} patterns that have not come lately are matched a second.
- An unknown address is shown in the terminal once; after {UNKNOWN_TOLD} of them, and {FOREIGN_TOLD} of other programs, no more are shown.
- Datagrams of senders that `osc_allow` does not name are counted and not read.
- Addresses of other programs, those that do not begin with `/fluid/`, are counted, and answered at most 12 times a minute after the first three.
- Each sender gets at most {SENDER_ANSWERS_A_SECOND:g} answers a second, all senders together {ANSWERS_A_SECOND:g}, and a few more in a burst. Answers are never answered.
- When messages come faster than they can be applied, the last value of each address counts; all triggers and events are sent.
- `ADDRESS` without a value answers `ADDRESS value`; a trigger needs no value.
- Changes take effect at the next hop, everything that has arrived by then at once.
- A bundle whose time is "immediately", now or past is obeyed at once. One that is due within {MOST_AHEAD_S:g} s waits for its time; one that is due later is refused with a
  sentence and counted. A bundle inside another is due no earlier than the one around it. The time is NTP wall time, so both machines need clocks that agree. At most
  {MOST_SCHEDULED} messages wait.
{_former_addresses()}
| address | answer |
|---|---|
| `{PING}` | `{PONG}` |
| `{STATS}` | `{STATS}` with pairs of a name and a number: hops, skipped_hops, age_p50_ms, age_p95_ms, {", ".join(Counts().figures())} |
| `{SUBSCRIBE}`, `{SUBSCRIBE} PORT` | all values, then what changes |
| `{UNSUBSCRIBE}`, `{UNSUBSCRIBE} PORT` | |

## Over TCP

`--osc-tcp PORT` listens to TCP on the same address too. A connection sends SLIP (OSC 1.1) or each message with its length before it as four bytes (OSC 1.0); the
first byte tells which, and answers come back in the same form on the connection. Addresses, limits and `osc_allow` are those of UDP. A message has at most {LARGEST_FRAME_BYTES} bytes.
{MOST_CONNECTIONS} connections are open at most; a new one takes the place of the one that has been silent longest. One that does not read what is sent to it is closed.

## What a show tells of itself

`--osc-out HOST:PORT` tells a listener what the show does, {SETTINGS["osc_out_rate"].default:g} times a second or as `--osc-out-rate` says; it may be given several times, with IPv6 in brackets. Only what has
changed is sent, and every {WHOLE_EVERY_S:g} s all of it, for listeners that come late. A listener that is gone costs one line, and is sent to again as soon as it is there. Another show that
receives these addresses ignores them.

| address | types | what it tells |
|---|---|---|
{_told()}

## What follows a show

Listeners of `--osc-out` also get `ADDRESS value` for each parameter that changes, whoever changed it: OSC, MIDI, the page, a key or a scene. So a page of faders follows a MIDI controller. Other
programs subscribe:

- `{SUBSCRIBE}` sends all values, then changes, to the address and port that it came from. `{SUBSCRIBE} 9001` sends them to that port of the same machine, from {LOWEST_PORT} up. Over TCP they come on the
  connection.
- A subscription ends with `{UNSUBSCRIBE}`, and {EXPIRES_S:g} s after the last sign of life: `{PING}` or `{SUBSCRIBE}` again. The program that subscribes has to ping from the port that it subscribed from.
- Over UDP only this machine and those that `osc_allow` names may subscribe; [security.md](security.md) says why. {MOST_SUBSCRIBERS} may at once, and all together {TABLES_AT_ONCE:g} times at once and then once every {1 / TABLES_A_SECOND:g} s.
- Nobody is told of what it set itself. A sender is an address with its port; a listener of `--osc-out` on another machine is that whole machine, since programs often send from another port than
  they listen on. On this machine a listener is known by its port alone: let the program send from the port that it listens on, or let it subscribe.
- Changes are told {TIMES_A_SECOND:g} times a second at most, with the last value of each, and {MOST_A_SECOND:g} messages a second to all together. Listeners of `--osc-out` get all values again every {WHOLE_EVERY_S:g} s, without
  those that they set in the last {REFRESHES_AFTER_S:g} s.
- A switch is sent as 1 or 0. Triggers and scenes are not told, since to tell one would be to give it; `/fluid/out/scene` tells the scene.

Two shows may follow each other: each takes what the other's user does, and neither sends it back.

## Ready pages

`configs/remotes/touchosc.tosc` and `configs/remotes/open-stage-control.json` have a control for each parameter below, buttons for 16 scenes and a page with what the show tells. They are written from
the same table, for another model with its own parameters:

```
python -m engine.app.osc_layouts --model my.onnx --folder pages
```

- **TouchOSC** on a tablet at 10.0.0.7: start the show with `--osc-host 0.0.0.0 --osc-allow 10.0.0.7 --osc-out 10.0.0.7:9001`. Import the file; under Connections, OSC, set UDP, the show's machine as host,
  send port {DEFAULT_OSC_PORT} and receive port 9001. Not tried with TouchOSC itself: the file was checked with py2tosc 0.6.0, an independent reader, which finds no fault in it.
- **Open Stage Control** on this machine: start the show with `--osc-out 127.0.0.1:9001`; in its launcher set `send` to 127.0.0.1:{DEFAULT_OSC_PORT}, `osc-port` to 9001 and `load` to the file. Not tried with Open Stage
  Control itself, which npm does not hold; the session was compared with the properties that its source declares, and a test sends what each control would.
"""


def reference(cards: Iterable[ModelCard]) -> str:
    """Return the page for the engine's parameters and the controls of `cards`."""
    parts = [_HEAD, "## Every model\n"]
    for group in dict.fromkeys(parameter.group for parameter in TABLE):
        parts += [f"### {group.capitalize()}\n", _table(p for p in TABLE if p.group == group)]
    for card in cards:
        controls = parameters_for(card)[len(TABLE) :]
        parts += [f"## Model {card.name}\n", _table(controls) if controls else "It has no controls of its own.\n"]
    return "\n".join(parts)


def shipped_cards() -> list[ModelCard]:
    """Return the cards of the models in engine/models. Raises ModelFileError."""
    return [read_card(path) for path in sorted(MODELS.glob("*.onnx"))]


def _table(parameters: Iterable[Parameter]) -> str:
    rows = "".join(
        f"| `{address(p.name)}` | {p.expected()} | {p.default_in_words()} | {p.help} |\n" for p in parameters
    )
    return "| address | takes | default | what it does |\n|---|---|---|---|\n" + rows


if __name__ == "__main__":
    print(reference(shipped_cards()), end="")
