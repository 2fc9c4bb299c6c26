"""The unit file and the configuration it names go together, and with what the show does."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

from engine.app.command_line import ParsedCommand, parse_command
from engine.ops.health_monitor import START_WITHIN_S, STUCK_S
from engine.ops.priority import NICENESS
from engine.ops.supervisor import CHECK_EVERY_S, CLOSE_WITHIN_S

ROOT = Path(__file__).parents[3]


def test_the_unit_starts_a_show_that_exists_and_leaves_it_the_time_it_needs() -> None:
    unit = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "configs" / "live" / "fluid.service")
    service = unit["Service"]
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert float(service["WatchdogSec"]) >= 3 * (STUCK_S + CHECK_EVERY_S)
    assert float(service["TimeoutStartSec"]) > START_WITHIN_S
    assert float(service["TimeoutStopSec"]) > 2 * CLOSE_WITHIN_S
    assert int(service["Nice"]) == NICENESS
    assert int(service["CPUWeight"]) > 100
    python, show, *flags = shlex.split(service["ExecStart"].replace("%h/fluid", str(ROOT)))
    assert python.endswith("/python")
    assert Path(show) == ROOT / "run_live.py"
    order = parse_command(flags)
    assert isinstance(order, ParsedCommand)
    config = order.resolved.config
    assert config.out == ("window",)
    assert config.health_port is not None
    assert config.log
