"""Puts together what looks after a show, as the settings ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from engine.core.clock import Clock
from engine.ops.health_monitor import HealthMonitor
from engine.ops.health_server import HealthServer
from engine.ops.show_log import ShowLog
from engine.ops.supervisor import Supervisor
from engine.ops.systemd import Systemd


def open_service(
    monitor: HealthMonitor,
    clock: Clock,
    *,
    say: Callable[[str], None],
    log: str | None,
    health_host: str,
    health_port: int | None,
    facts: Mapping[str, Any],
    releasing: ExitStack,
) -> Supervisor:
    """Start to look after a show, until `releasing` is closed; `facts` about the show begin its log.

    Raises ConfigError when the log cannot be written or the port is taken.
    """
    manager = Systemd()
    service = Supervisor(monitor, clock, say=say, log=ShowLog(log, clock) if log else None, manager=manager)
    if health_port is not None:
        health = HealthServer(health_host, health_port, lambda: monitor.report(clock.now_s()))
        releasing.callback(health.close)
        health.start()
        service.tell(f"health   http://{health.host}:{health.port}/health and /metrics")
    releasing.callback(service.close)
    service.start(facts)
    return service
