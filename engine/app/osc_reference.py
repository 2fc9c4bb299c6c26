"""Writes docs/osc.md from the parameter table and the cards of the models shipped: python -m engine.app.osc_reference > docs/osc.md"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.app.config import DEFAULT_MODEL, DEFAULT_OSC_PORT
from engine.control.parameter import Parameter
from engine.control.parameter_table import TABLE, parameters_for
from engine.control.remotes.osc_addresses import ERROR, PING, PONG, PREFIX, STATS, address
from engine.control.remotes.osc_inbox import FOREIGN_TOLD, UNKNOWN_TOLD
from engine.control.remotes.osc_limits import ANSWERS_A_SECOND, SENDER_ANSWERS_A_SECOND
from engine.control.remotes.osc_patterns import LONGEST_PATTERN, NEW_PATTERNS_A_SECOND
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

- Send `ADDRESS value`. Numbers may be of OSC type i, h, f or d, whole or not; a text is refused, also one that holds a number.
- Switches and buttons: a number above 0 or T is on or pressed; 0, F and numbers below are off or released. So 1, 1.0, 127 and 0.7 press. A button that
  never sends 0 presses each time. I, N or no value at all press a trigger too.
- A scene takes its number, as i, h, f or d; T, I and N are refused there.
- A number out of range is clipped, and the sender gets `{ERROR} "sentence"`.
- A scene number out of range is refused, and 0 is a button that was released.
- A message that is not understood changes nothing, is counted, and is answered with `{ERROR} "sentence"`.
- A locked parameter (`remote_lock`) is not set, and the sender is told; it can still be asked for.
- Remotes may recall {RECALLS_AT_ONCE:g} scenes at once and then {RECALLS_A_SECOND:g} a second, save {SCENES_AT_ONCE:g} scenes at once and then one every {1 / SCENES_A_SECOND:g} s, and begin {RECORDINGS_AT_ONCE:g} recordings at once and then one every {1 / RECORDINGS_A_SECOND:g} s.
- Address patterns of OSC 1.0 work: `{PREFIX}onset_*`, `{PREFIX}{{zoom,glow}}`, `{PREFIX}[a-c]*`, `{PREFIX}z??m`, `/*/zoom`. A pattern sets every parameter that it matches,
  and without a value asks for them. It presses triggers with a value, or when it matches triggers alone; it reaches no scene. It has at most
  {LONGEST_PATTERN} characters, and at most {NEW_PATTERNS_A_SECOND:g} patterns that have not come lately are matched a second.
- An unknown address is shown in the terminal once; after {UNKNOWN_TOLD} of them, and {FOREIGN_TOLD} of other programs, no more are shown.
- Datagrams of senders that `osc_allow` does not name are counted and not read.
- Addresses of other programs, those that do not begin with `/fluid/`, are counted, and answered at most 12 times a minute after the first three.
- Each sender gets at most {SENDER_ANSWERS_A_SECOND:g} answers a second, all senders together {ANSWERS_A_SECOND:g}, and a few more in a burst. Answers are never answered.
- When messages come faster than they can be applied, the last value of each address counts; all triggers and events are sent.
- `ADDRESS` without a value answers `ADDRESS value`; a trigger needs no value.
- Changes take effect at the next hop, everything that has arrived by then at once. Time tags of bundles are ignored.
{_former_addresses()}
| address | answer |
|---|---|
| `{PING}` | `{PONG}` |
| `{STATS}` | `{STATS}` with pairs of a name and a number: hops, skipped_hops, age_p50_ms, age_p95_ms, osc_received, osc_refused, osc_foreign, osc_unanswered, osc_strangers |
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
    rows = "".join(f"| `{address(p.name)}` | {p.expected()} | {_default(p)} | {p.help} |\n" for p in parameters)
    return "| address | takes | default | what it does |\n|---|---|---|---|\n" + rows


def _default(parameter: Parameter) -> str:
    if parameter.happens:
        return ""
    return f"{parameter.default:g}" if parameter.is_number else ("on" if parameter.default else "off")


if __name__ == "__main__":
    print(reference(shipped_cards()), end="")
