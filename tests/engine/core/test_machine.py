"""The machine's description is the same for benchmarks and for training runs."""

from __future__ import annotations

import json
import os
import platform

import torch

from engine.core.machine import describe_machine, load_1min
from training.core.machine import machine


def test_a_run_and_a_benchmark_describe_the_same_machine() -> None:
    described = describe_machine()
    assert described["cores"] == os.cpu_count()
    assert described["python"] == platform.python_version()
    assert described["cpu"]
    of_run = machine(torch.device("cpu"))
    assert {name: of_run[name] for name in described} == described
    assert of_run["torch"] == torch.__version__
    json.dumps([described, of_run, load_1min()])
