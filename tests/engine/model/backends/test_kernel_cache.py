"""Kernels of TensorRT for RTX, kept across starts: a fake of the library's cache, with the calls that the real one has."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model.backends import tensorrt_rtx
from engine.model.backends.graphics_card import GraphicsCard
from engine.model.backends.kernel_cache import FILE, KernelCache
from engine.model.backends.plan_file import LIBRARY, read_plan
from tests.engine.model.backends.test_plan_file import write_plan
from tests.engine.model.probe_model import write_probe

GRAPHICS = GraphicsCard("RTX 4090", "8.9", "580.1")
HERE = b"driver 1;"


class RuntimeCache:
    """IRuntimeCache: takes what was written under the same driver, and gives a buffer."""

    def __init__(self, driver: bytes) -> None:
        self.driver, self.kernels = driver, b""

    def deserialize(self, blob: bytes) -> bool:
        if not blob.startswith(self.driver):
            return False
        self.kernels = blob.removeprefix(self.driver)
        return True

    def serialize(self) -> memoryview:
        return memoryview(self.driver + self.kernels)


class RuntimeConfig:
    """IRuntimeConfig, as far as the cache goes."""

    def __init__(self, driver: bytes = HERE) -> None:
        self.created = RuntimeCache(driver)
        self.used: RuntimeCache | None = None

    def create_runtime_cache(self) -> RuntimeCache:
        return self.created

    def set_runtime_cache(self, cache: RuntimeCache) -> bool:
        self.used = cache
        return True


def start(folder: Path | None, driver: bytes = HERE) -> tuple[RuntimeConfig, KernelCache]:
    """Open an engine: whatever is missing is compiled."""
    settings = RuntimeConfig(driver)
    kernels = KernelCache(settings, folder)
    assert settings.used is settings.created
    return settings, kernels


def compile_and_save(folder: Path | None) -> None:
    settings, kernels = start(folder)
    settings.created.kernels = b"two kernels"
    kernels.save()


def test_the_second_start_finds_the_kernels_of_the_first(tmp_path: Path) -> None:
    assert start(tmp_path)[1].fault == ""
    compile_and_save(tmp_path)
    settings, kernels = start(tmp_path)
    assert (settings.created.kernels, kernels.fault) == (b"two kernels", "")
    before = (tmp_path / FILE).stat()
    kernels.save()
    assert (tmp_path / FILE).stat().st_mtime_ns == before.st_mtime_ns
    settings.created.kernels += b" and a third"
    kernels.save()
    assert start(tmp_path)[0].created.kernels == b"two kernels and a third"


@pytest.mark.parametrize("damage", [lambda whole: whole[:-3], lambda whole: whole[:9], lambda whole: b"x" + whole[1:]])
def test_a_damaged_cache_is_ignored_and_told_and_mended(damage, tmp_path: Path) -> None:
    compile_and_save(tmp_path)
    file = tmp_path / FILE
    file.write_bytes(damage(file.read_bytes()))
    settings, kernels = start(tmp_path)
    assert settings.created.kernels == b""
    assert kernels.fault == "it is damaged"
    settings.created.kernels = b"again"
    kernels.save()
    assert start(tmp_path)[1].fault == ""


def test_a_cache_that_the_library_refuses_is_told_and_replaced(tmp_path: Path) -> None:
    compile_and_save(tmp_path)
    settings, kernels = start(tmp_path, driver=b"driver 2;")
    assert "another driver" in kernels.fault
    settings.created.kernels = b"new"
    kernels.save()
    assert start(tmp_path, driver=b"driver 2;")[1].fault == ""


def test_an_empty_file_and_a_folder_that_cannot_be_written_cost_nothing(tmp_path: Path) -> None:
    compile_and_save(None)
    (tmp_path / FILE).touch()
    assert start(tmp_path)[1].fault == "it is damaged"
    compile_and_save(tmp_path / "absent")


def test_kernels_are_kept_under_all_they_depend_on(tmp_path: Path) -> None:
    model = write_probe(tmp_path / "probe.onnx")
    plan = read_plan(write_plan(tmp_path / "probe.plan", model))
    facts = tensorrt_rtx.kernel_facts(plan, GRAPHICS)
    for name in GRAPHICS._fields:
        assert tensorrt_rtx.kernel_facts(plan, GRAPHICS._replace(**{name: "other"})) != facts
    write_probe(model, name="exported again")
    assert tensorrt_rtx.kernel_facts(read_plan(write_plan(tmp_path / "2.plan", model)), GRAPHICS) != facts


def test_the_real_library_has_these_calls() -> None:
    library = pytest.importorskip(LIBRARY, reason='TensorRT for RTX is missing (pip install -e ".[rtx]")')
    for ours, theirs in ((RuntimeCache, library.IRuntimeCache), (RuntimeConfig, library.IRuntimeConfig)):
        for name in (name for name in vars(ours) if not name.startswith("_")):
            assert callable(getattr(theirs, name)), name
