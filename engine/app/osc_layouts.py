"""Writes ready pages for TouchOSC and Open Stage Control from the parameter table:

python -m engine.app.osc_layouts                                  # configs/remotes/
python -m engine.app.osc_layouts --model my.onnx --folder pages   # with the model's own parameters
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.app.open_stage_control_layout import open_stage_control_session
from engine.app.touchosc_layout import touchosc_layout
from engine.control.parameter import Parameter
from engine.control.parameter_table import TABLE, parameters_for
from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import write_bytes
from engine.core.errors import run_main
from engine.model.file import read_card

FOLDER = Path(__file__).parent.parent.parent / "configs" / "remotes"
TOUCHOSC, OPEN_STAGE_CONTROL = "touchosc.tosc", "open-stage-control.json"

Pages = dict[str, tuple[Parameter, ...]]


def pages(parameters: Iterable[Parameter] = TABLE) -> Pages:
    """Return the parameters by page: one a group of the table, and one for what a model declares itself."""
    own = frozenset(parameter.name for parameter in TABLE)
    found: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        found.setdefault(parameter.group if parameter.name in own else "own", []).append(parameter)
    return {title: tuple(members) for title, members in found.items()}


def layouts(parameters: Iterable[Parameter] = TABLE) -> dict[str, bytes]:
    """Return the content of each file by its name."""
    made = pages(parameters)
    return {TOUCHOSC: touchosc_layout(made), OPEN_STAGE_CONTROL: open_stage_control_session(made).encode()}


def main() -> int:
    parser = ArgumentParser(description="Write pages for TouchOSC and Open Stage Control.")
    parser.add_argument("--model", metavar="MODEL.onnx", help="add the parameters of this model (default: none)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write (default: configs/remotes)")
    arguments = parser.parse_args()
    parameters = parameters_for(read_card(Path(arguments.model))) if arguments.model else TABLE
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, content in layouts(parameters).items():
        write_bytes(arguments.folder / name, content)
        print(arguments.folder / name)
    return 0


if __name__ == "__main__":
    run_main(main)
