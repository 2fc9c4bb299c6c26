"""What every part of the generator is worth: variants x seeds, trained alike and judged on the held-out part of a clip.

    python -m benchmarks.ablation CLIP --set paper --seeds 3 --iterations 400 [--weights FILE]
    python -m benchmarks.ablation CLIP --set own
    python -m benchmarks.ablation CLIP --set own --show      # the table of what was recorded, as Markdown

`paper` builds up the model of arXiv 2406.16155 from its baseline; `own` takes this project's additions away one by one;
`sound` varies the front end and the augmentation of the sound, and measures sounds that the clip lacks too (sound_response.py); `modal` takes
parts of the modal family away, `past` lets it hear more of the past and learn to be deaf, and `adversarial` gives it discriminators with each of their losses. The clip of `sound`:

    python -m benchmarks.sound_kinds media/made.wav --seconds 4 --kinds silence,drums,speech,stabs,silence,song,drums,quiet,silence,stabs,speech
    python -m training.data.scenes.make_scene water --sound media/made.wav --size 128 -o media/made.mp4

and that of `past`:

    python -m training.data.scenes.make_scene strings --size 256x144 --seconds 40 -o media/strings.mp4

--weights names a file of a learned distance (see docs/evaluation.md); its figure is printed under its own name.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.frame_quality import Quality
from benchmarks.record import RESULTS, append_record
from benchmarks.sound_response import sound_response
from engine.core.errors import run_main
from training.data.cache import load_clip
from training.evaluation.synchrony.film import film_of_frames
from training.evaluation.synchrony.peak_figures import loudness_motion
from training.loop.config import load_train_config
from training.loop.trainer import build_trainer
from training.loop.validation import Validation

CONFIGS = Path(__file__).parents[1] / "configs" / "train"
BASES = dict.fromkeys(("modal", "past", "adversarial"), CONFIGS / "modal.yaml")
OTHERWISE = CONFIGS / "ablation.yaml"
SHIFTS = 20
"""Of the sound against the frames, for the correlation that is there without the right sound."""
Overrides = Mapping[str, Any]


def _generator(**settings: Any) -> dict[str, Any]:
    return {f"model.generator.{name}": value for name, value in settings.items()}


_MFS = _generator(sound_route="rnn", motion_layers=1, conditional_norm=False, prediction="none")
_OWN = _generator(
    normalise=False,
    condition_on="all",
    resonators=32,
    relief_rank=16,
    relief_level=2,
    canvas_rank=8,
    prediction="basic",
)
_MODAL = {"model.image_size": 256, "threads": 1, "minutes": None}
# Small, so that a busy machine does it: what is compared is what the sound gives, not the maps.
_PAST = _MODAL | {
    "model.image_size": "128x72",
    "losses.start_frames": 64,
    "losses.map_iterations": 150,
    "losses.sound_iterations": 300,
}
_ADVERSARIAL = _MODAL | {
    "losses.adversarial_image": 0.02,
    "losses.adversarial_video": 0.02,
    "optimiser.lr_discriminator": 0.0005,
    "losses.r1": 1.0,
    "losses.penalty_interval": 4,
}
SETS: dict[str, dict[str, Overrides]] = {
    "paper": {
        "motion from sound (MfS)": _MFS,
        "+ dilated recurrence, 3 layers": _MFS | _generator(motion_layers=3),
        "+ sound as content": _MFS | _generator(motion_layers=3, sound_route="rnngen"),
        "+ acIN": _generator(prediction="none"),
        "+ basic prediction": _generator(prediction="basic"),
        "+ directional prediction (full)": {},
    },
    "own": {
        "all": _OWN,
        "no resonators": _OWN | _generator(resonators=0),
        "no relief": _OWN | _generator(relief_rank=0),
        "no canvas frames": _OWN | _generator(canvas_rank=0),
        "no canvas": _OWN | _generator(canvas=False, canvas_rank=0),
        "no place maps": _OWN | _generator(place_levels=0),
        "norms that normalise": _OWN | _generator(normalise=True),
        "norms that hear the sound alone": _OWN | _generator(condition_on="sound"),
        "no prediction": _OWN | _generator(prediction="none"),
    },
    "sound": {
        "level": _OWN,
        "+ newest column": _OWN | {"model.front_end.newest_column": True},
        "+ flux": _OWN | {"model.front_end.newest_column": True, "model.front_end.flux": True},
        "+ louder": _OWN | {"model.front_end.newest_column": True, "augmentation.louder_db": 12.0},
        "+ rest": _OWN | {"model.front_end.newest_column": True, "augmentation.rest": 0.03},
    },
    "modal": {
        "all": _MODAL,
        "no beginning": _MODAL | {"losses.start_frames": 0},
        "no spread": _MODAL | {"losses.spread": 0.0},
        "no motion energy": _MODAL | {"losses.motion_energy": 0.0},
        "one texture": _MODAL | _generator(textures=1),
        "2 textures": _MODAL | _generator(textures=2),
        "8 textures": _MODAL | _generator(textures=8),
        "no light": _MODAL | _generator(light_rank=0),
        "no residual": _MODAL | _generator(residual_rank=0),
    },
    "past": {
        "default": _PAST,
        "+ windows": _PAST | _generator(past_windows=4),
        "+ attention": _PAST | _generator(past_steps=16),
        "+ both": _PAST | _generator(past_windows=4, past_steps=16),
        "+ guidance": _PAST | _generator(guidance=True),
    },
    "adversarial": {
        "none": _MODAL,
        "hinge": _ADVERSARIAL | {"losses.adversarial": "hinge"},
        "logistic": _ADVERSARIAL | {"losses.adversarial": "ns"},
        "least squares": _ADVERSARIAL | {"losses.adversarial": "ls"},
        "wgan-gp": _ADVERSARIAL | {"losses.adversarial": "wgan-gp", "losses.r1": 0.0},
        "relativistic": _ADVERSARIAL | {"losses.adversarial": "relativistic", "losses.r2": 1.0},
    },
}


def teach(
    clip_path: Path, base: Path, overrides: Overrides, iterations: int, seed: int, quality: Quality, of_sound: bool
) -> dict[str, float]:
    """Teach one variant with one seed and return what its frames of the held-out part are worth."""
    config = load_train_config(base, {**overrides, "total_iterations": iterations, "seed": seed})
    torch.set_num_threads(config.threads)
    trainer = build_trainer(config, load_clip(clip_path, config.clip_format()))
    trainer.begin(lambda: False)
    for iteration in tqdm(range(iterations), leave=False):
        trainer.step(iteration / iterations)
    found = trainer.validate()
    response = sound_response(trainer.average, trainer.footage) if of_sound else {}
    figures = {**found.numbers(), **quality(found.generated_NHWC, found.real_NHWC()), **response}
    return figures | (_loudness_motion(found) if base.stem == "modal" else {})


def _loudness_motion(found: Validation) -> dict[str, float]:
    """Return how well the motion of the held-out frames goes with the loudness of their sound, and of the clip's own frames."""
    form = found.played[0].clip.format
    figures = {}
    for name, frames_NHWC in (("generated", found.generated_NHWC), ("clip", found.real_NHWC())):
        film = film_of_frames(name, frames_NHWC, found.sound_S(), form.sample_rate_hz, form.fps)
        figures[f"loudness-motion, {name}"] = loudness_motion(film, "db", SHIFTS).value
    return figures


def table(records: list[dict[str, Any]]) -> str:
    """Return a Markdown table: variants in their order, mean ± standard deviation over seeds."""
    known = dict.fromkeys(key for record in records for key in record["figures"])
    keys = [key for key in known if key != "mean_frame_l1"]
    lines = [
        f"| variant | seeds | {' | '.join(key.replace('_', ' ') for key in keys)} |",
        "|---" * (len(keys) + 2) + "|",
    ]
    for variant in dict.fromkeys(record["variant"] for record in records):
        own = [record["figures"] for record in records if record["variant"] == variant]
        cells = []
        for key in keys:
            values = [figures[key] for figures in own if key in figures]
            if not values:
                cells.append("")
                continue
            spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.4f}{spread}")
        lines.append(f"| {variant} | {len(own)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def recorded(clip: str, chosen: str, iterations: int) -> list[dict[str, Any]]:
    """Return the records of a clip, a set and a number of iterations; of a variant and seed trained twice the last."""
    path = RESULTS / "ablation.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    wanted = {"clip": clip, "set": chosen, "iterations": iterations}
    latest = {}
    for record in map(json.loads, lines):
        if all(record[key] == value for key, value in wanted.items()):
            latest[(record["variant"], record["seed"])] = record
    order = {variant: place for place, variant in enumerate(SETS[chosen])}
    return sorted(latest.values(), key=lambda record: (order.get(record["variant"], len(order)), record["seed"]))


def main() -> int:
    parser = argparse.ArgumentParser(description="Teach variants of the generator alike and compare them.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--set", dest="chosen", choices=tuple(SETS), default="paper")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="files of learned distances")
    parser.add_argument("--missing", action="store_true", help="teach only what is not recorded yet")
    parser.add_argument("--show", action="store_true", help="teach nothing; print what was recorded")
    flags = parser.parse_args()
    if not flags.show:
        quality = Quality(flags.weights)
        trials = [(seed, variant) for seed in range(flags.seeds) for variant in SETS[flags.chosen]]
        if flags.missing:
            known = recorded(flags.clip.name, flags.chosen, flags.iterations)
            done = {(record["seed"], record["variant"]) for record in known}
            trials = [trial for trial in trials if trial not in done]
        for seed, variant in tqdm(trials, unit="trial"):
            base, of_sound = BASES.get(flags.chosen, OTHERWISE), flags.chosen == "sound"
            figures = teach(flags.clip, base, SETS[flags.chosen][variant], flags.iterations, seed, quality, of_sound)
            record = {"clip": flags.clip.name, "set": flags.chosen, "variant": variant, "seed": seed}
            append_record("ablation", {**record, "iterations": flags.iterations, "figures": figures})
    print(table(recorded(flags.clip.name, flags.chosen, flags.iterations)))
    return 0


if __name__ == "__main__":
    run_main(main)
