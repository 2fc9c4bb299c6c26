"""Writes docs/parameters.md: every parameter under all its names. python -m engine.app.parameter_reference > docs/parameters.md"""

from __future__ import annotations

from collections.abc import Iterable

from engine.app.bare_arguments import flag
from engine.app.config import CONTROLS
from engine.app.osc_reference import shipped_cards
from engine.control.parameter import Parameter
from engine.control.parameter_table import TABLE, parameters_for
from engine.control.remotes.osc_addresses import PREFIX, address
from engine.model.card import ModelCard

_MODULE = __spec__.name if __spec__ else __name__
_HEAD = f"""# Parameters

Generated from the parameter table and the model cards; do not edit. Write it again with:

```
python -m {_MODULE} > docs/parameters.md
```

A parameter is declared once and has the same name everywhere. For `glow`:

| where | form |
|---|---|
| command line, its start value | `--glow 0.5` |
| configuration file, its start value | `glow: 0.5` under `{CONTROLS}:` |
| OSC | `{PREFIX}glow 0.5` ([osc.md](osc.md)) |
| OSCQuery | the path `{PREFIX}glow`, with range, unit and help ([oscquery.md](oscquery.md)) |
| web page | a control of the kind in the column *page* ([web.md](web.md)) |
| MIDI | any control that is learnt for it ([midi.md](midi.md)) |
| scenes | saved where the column *scene* says so; a scene written by hand may set any ([scenes.md](scenes.md)) |
| mappings | `--map "glow=0.6 * onset"` where the column *mapping* says so ([mapping.md](mapping.md)) |

Buttons have no start value, so no flag: they are pressed while the show runs. A number out of range is clipped by remotes, and refused on the command line and in files.
"""


def reference(cards: Iterable[ModelCard]) -> str:
    """Return the page for the engine's parameters and the controls of `cards`."""
    parts = [_HEAD]
    for group in dict.fromkeys(parameter.group for parameter in TABLE):
        parts += [f"## {group.capitalize()}\n", _table(p for p in TABLE if p.group == group)]
    for card in cards:
        controls = parameters_for(card)[len(TABLE) :]
        parts += [f"## Model {card.name}\n", _table(controls) if controls else "It has no parameters of its own.\n"]
    return "\n".join(parts)


def _table(parameters: Iterable[Parameter]) -> str:
    rows = "".join(_row(parameter) for parameter in parameters)
    heads = ("parameter", "flag", "OSC and OSCQuery", "takes", "default", "page", "scene", "mapping", "what it does")
    return f"| {' | '.join(heads)} |\n|{len(heads) * '---|'}\n{rows}"


def _row(parameter: Parameter) -> str:
    cells = (
        f"`{parameter.name}`",
        "" if parameter.happens else f"`{flag(parameter.name)}`",
        f"`{address(parameter.name)}`",
        parameter.expected(),
        parameter.default_in_words(),
        parameter.widget,
        _yes(parameter.in_scenes and not parameter.happens),
        _yes(not parameter.not_mapped and not parameter.happens),
        parameter.help + ("; live shows only" if parameter.live_only else ""),
    )
    return f"| {' | '.join(cells)} |\n"


def _yes(is_so: bool) -> str:
    return "yes" if is_so else ""


if __name__ == "__main__":
    print(reference(shipped_cards()), end="")
