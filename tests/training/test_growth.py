"""The old name of the upscaling command works for one version, with a notice."""

import subprocess
import sys
from pathlib import Path


def test_the_old_command_says_its_new_name_and_still_upscales(tmp_path: Path) -> None:
    words = [str(tmp_path / "none"), "configs/train/tiny.yaml", "-o", str(tmp_path / "large")]
    found = subprocess.run(
        [sys.executable, "-m", "training.growth", *words], capture_output=True, text=True, check=False
    )
    notice, error = found.stderr.splitlines()
    assert notice == (
        "notice: training.growth is now called training.upscale_checkpoint; the old name works until the next version."
    )
    assert error.startswith(f"error: {tmp_path / 'none'} is neither a checkpoint nor a run folder")
    assert found.returncode == 2
