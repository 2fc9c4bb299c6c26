"""What the tests of remotes share: a store of the probe model's parameters, and a clock."""

from __future__ import annotations

import socket

import pytest

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from tests.conftest import require
from tests.engine.app.shows import InventedClock
from tests.engine.model.probe_model import CARD


@pytest.fixture
def store() -> ParameterStore:
    return ParameterStore(parameters_for(CARD))


@pytest.fixture
def clock() -> InventedClock:
    return InventedClock()


@pytest.fixture
def ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as trial:
            trial.bind(("::1", 0))
    except OSError as error:
        require(None, f"IPv6 ({error})")
