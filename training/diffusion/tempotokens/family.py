"""TempoTokens in `python -m training.render`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass

from training.diffusion.loaded import Loaded
from training.diffusion.progress import RenderProgress
from training.diffusion.render_family import RenderFamily, RenderJob, RenderPlan
from training.diffusion.tempotokens import planning, settings
from training.diffusion.tempotokens.published import VAE, check_mapper, weight_files
from training.diffusion.tempotokens.renderer import TempoTokens
from training.diffusion.weight_files import WeightFile, check_usable, require


@dataclass(frozen=True, slots=True)
class TempoTokensFamily:
    """Defaults are those of the original's command."""

    about: str = (
        "TempoTokens: a clip from sound, or from sound and a text, without a frame to begin from (arXiv 2309.16429)."
    )
    width: int = 384
    height: int = 384
    steps: int = 25
    autoencoder: str = VAE

    def add_arguments(self, parser: ArgumentParser) -> None:
        settings.add_arguments(parser)

    def weight_files(self, arguments: Namespace) -> Sequence[WeightFile]:
        with_sound = arguments.condition != "text"
        if with_sound:
            check_mapper(arguments.mapper, arguments.weights)
        return weight_files(arguments.mapper, with_sound)

    def window_s(self, arguments: Namespace) -> float:
        return settings.SEGMENT_FRAMES / arguments.fps

    def plan(self, arguments: Namespace, job: RenderJob) -> RenderPlan:
        chosen = settings.settings_of(arguments, job.save_memory)
        return planning.plan(chosen, job, require(job.weights, self.weight_files(arguments)))

    def open(self, arguments: Namespace, job: RenderJob, progress: RenderProgress, loaded: Loaded) -> TempoTokens:
        files = self.weight_files(arguments)
        places = require(job.weights, files)
        if not loaded.holds_some:
            # All of them before the first is used: the last one is read when most of the time is spent.
            check_usable(places, files)
        chosen = settings.settings_of(arguments, job.save_memory)
        return TempoTokens(job=job, files=places, progress=progress, loaded=loaded, settings=chosen)


FAMILY: RenderFamily = TempoTokensFamily()
