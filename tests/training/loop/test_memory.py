"""Out of memory: for real under a limit of the system, and how it is said."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training.clips import moving_clip
from tests.training.runs import ONE_THREAD, small_config, words
from training.data.cache import load_clip
from training.loop.memory import OutOfMemory, asked_bytes, memory_watched
from training.train import argument_parser, resolve

LIMITED = """
import resource, sys
from pathlib import Path
from engine.core.errors import run_main
from training import train
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 700 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
run_main(lambda: train.main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of address space")
def test_too_large_a_batch_is_a_sentence_that_says_what_to_lower(tmp_path: Path) -> None:
    command = words(moving_clip(tmp_path / "clip.mp4"), tmp_path, sequences_per_batch=4000, sequence_frames=8)
    config = resolve(argument_parser().parse_args(command)).config
    load_clip(Path(config.clip.path), config.clip_format(), tmp_path / "cache")
    found = subprocess.run(
        [sys.executable, "-c", LIMITED, *command],
        capture_output=True,
        text=True,
        env=ONE_THREAD,
        timeout=120,
        check=False,
    )
    assert found.returncode == 2, found.stderr[-2000:]
    assert "Traceback" not in found.stderr
    said = found.stderr.splitlines()[-1]
    assert said.startswith("error: Out of memory of this machine in iteration 1; ")
    assert (
        "lower sequences_per_batch (now 4000), or sequence_frames (now 8), with a new run; there is no checkpoint"
        in said
    )


def test_allocators_are_understood_and_other_errors_pass() -> None:
    config = small_config()
    for error, gib in (
        (MemoryError("Unable to allocate 3.50 GiB for an array with shape (7,)"), 3.5),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 2147483648 bytes."), 2.0),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has"), 0.5),
    ):
        assert asked_bytes(str(error)) == gib * 2**30
        with (
            pytest.raises(OutOfMemory, match=f"{gib:.1f} GiB more were needed; lower "),
            memory_watched(config, "here"),
        ):
            raise error
    with pytest.raises(RuntimeError, match="another"), memory_watched(config, "here"):
        raise RuntimeError("another")
