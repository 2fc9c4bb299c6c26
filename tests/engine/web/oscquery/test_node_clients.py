"""OSCQuery with clients for Node that others wrote: npm's `oscquery` for the namespace, `osc-js` for values over the WebSocket."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.control.parameter import Parameter
from engine.control.parameter_table import TABLE
from engine.control.remotes.osc_telemetry import OUTGOING
from tests.engine.web.oscquery.serving import OSC_PORT, Connected, Show, run

PACKAGES = ("oscquery@1.1.1", "osc-js@2.4.1")
INSTALLS_WITHIN_S, RUNS_WITHIN_S = 60.0, 20.0
SCRIPT = Path(__file__).with_name("node_clients.js")
CHOICE = Parameter(name="order", kind="int", help="in which order", high=2, default=0, choices=("up", "down", "random"))


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    npm = shutil.which("npm")
    if not (npm and shutil.which("node")):
        pytest.skip("this machine has no node and npm")
    folder = tmp_path_factory.mktemp("node")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), *PACKAGES]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALLS_WITHIN_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm could not install {' and '.join(PACKAGES)}: {error}")
    return folder / "node_modules"


def test_they_read_listen_and_set(node_modules: Path) -> None:
    show = Show([*TABLE, CHOICE])

    async def test(client: Connected) -> dict:
        running = await asyncio.to_thread(
            subprocess.run,
            ["node", str(SCRIPT), str(client.port)],
            env={**os.environ, "NODE_PATH": str(node_modules)},
            capture_output=True,
            text=True,
            timeout=RUNS_WITHIN_S,
        )
        assert running.returncode == 0, running.stderr
        return json.loads(running.stdout)

    seen = run(show, test)
    assert seen["namespace"]["name"] == "Water, tonight"
    assert seen["namespace"]["oscPort"] == OSC_PORT
    assert seen["namespace"]["methods"] == len(TABLE) + 1 + len(OUTGOING) + 1
    zoom = {"path": "/fluid/zoom", "description": "how much the frame is enlarged"}
    zoom |= {"type": "f", "value": 1, "range": {"min": 1, "max": 4}, "clipmode": "both"}
    assert seen["namespace"]["zoom"] == zoom
    order = seen["namespace"]["order"]
    assert (order["type"], order["value"], order["range"]["vals"]) == ("s", "up", list(CHOICE.choices))
    assert seen["came"] == [["/fluid/zoom", ",f", 1], ["/fluid/freeze", ",F", False], ["/fluid/glow", ",f", 0.5]]
    assert show.store.values()["glow"] == 0.5
