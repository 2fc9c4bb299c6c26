"""Start the supervisor and the health server of a live show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from engine.core.clock import Clock
from engine.core.server_thread import in_words
from engine.ops.health_monitor import HealthMonitor
from engine.ops.show_log import ShowLog
from engine.ops.supervisor import Supervisor
from engine.ops.systemd import Systemd


def start_supervisor(
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
    """Start the supervisor, and the health server if there is a port; `releasing` closes both. `facts` begin the log.

    Raises ConfigError when the log cannot be written or the port is taken.
    """
    supervisor = Supervisor(
        monitor, clock, say=say, log=ShowLog(log, clock) if log else None, service_manager=Systemd()
    )
    if health_port is not None:
        # prometheus_client is only loaded for shows that serve metrics.
        from engine.ops.health_server import HealthServer

        health = HealthServer(health_host, health_port, lambda: monitor.report(clock.now_s()))
        releasing.callback(health.close)
        health.start()
        supervisor.tell(f"health   http://{in_words(health.host)}:{health.port}/health and /metrics")
    releasing.callback(supervisor.close)
    supervisor.start(facts)
    return supervisor
