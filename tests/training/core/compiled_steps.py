"""Two iterations with and without torch.compile, in a process of their own: compiled code is cached process-wide.

python -m tests.training.core.compiled_steps CLIP
"""

import json
import sys
from pathlib import Path

from tests.training.runs import PLAIN, small_config
from training.data.cache import load_clip
from training.loop.trainer import build_trainer


def steps(clip: Path, compiled: bool) -> tuple[list[float], list[str]]:
    """Return the L1 of two iterations and the names of the weights."""
    config = small_config(PLAIN, compile=compiled)
    trainer = build_trainer(config, load_clip(clip, config.clip_format(), clip.parent))
    return [float(trainer.step()["l1"]) for _ in range(2)], list(trainer.model.state_dict())


if __name__ == "__main__":
    print(json.dumps([steps(Path(sys.argv[1]), compiled) for compiled in (False, True)]))
