"""A JACK server without a sound card, for benchmarks of MIDI on machines without a sequencer."""

from __future__ import annotations

import importlib.util

from benchmarks.private_desktop import PrivateDesktop
from engine.control.remotes.midi.ports import process_environment
from engine.core.clock import WallClock
from engine.core.errors import ConfigError

PROGRAMS, PACKAGES = ("jackd", "jack_wait"), "jackd2"
SERVER = "fluid-midi-benchmark"
PERIOD_SAMPLES, RATE_HZ = 64, 48000
"""A message waits for the next period: 1.3 ms at most."""
STARTS_WITHIN_S = 10.0


def start_jack(stage: PrivateDesktop) -> None:
    """Start the server on a desktop whose programs reach it from then on. Raises ConfigError without it or rtmidi2."""
    if importlib.util.find_spec("rtmidi2") is None:
        raise ConfigError('This benchmark needs rtmidi2; install it with: pip install -e ".[midi]"')
    stage.environment.update(process_environment("jack"))
    # Programs that do not ask for JACK keep the libraries that they have.
    stage.environment.update({"JACK_DEFAULT_SERVER": SERVER, "JACK_NO_START_SERVER": "1"})
    sound = ["-d", "dummy", "-r", str(RATE_HZ), "-p", str(PERIOD_SAMPLES)]
    server = stage.start(["jackd", "-r", "--no-mlock", "-n", SERVER, *sound], "jack.log")
    clock = WallClock()
    began_s = clock.now_s()
    while "running" not in stage.run("jack_wait", "-s", SERVER, "-c"):
        if server.poll() is not None or clock.now_s() - began_s > STARTS_WITHIN_S:
            raise ConfigError(f"The JACK server did not start: {stage.output('jack.log')[-300:]}")
        clock.sleep(0.1)
