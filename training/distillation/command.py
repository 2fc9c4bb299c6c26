"""`python -m training.teach --teacher NAME`: its flags, what it tells before it begins, and the clip that it renders."""

from __future__ import annotations

import itertools
import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.core.errors import TrainingError, nearest_name
from engine.core.printable import print_line
from engine.core.structured import shortened
from training.core.device import choose_device
from training.core.named_functions import load_function
from training.data.cache import default_cache_folder
from training.data.clip_sound import read_sound
from training.data.frames import file_frame_rate
from training.diffusion.cost import operations_per_s
from training.diffusion.job_flags import add_job_arguments, can_keep, check_memory, duration, memory_told
from training.diffusion.progress import RenderProgress
from training.diffusion.render_family import RENDER_RATE_HZ, RenderFamily, RenderPlan, family_names, render_family
from training.diffusion.weight_files import add_check_argument, check_usable, require, show_weights
from training.distillation.joined_clip import JoinedClip
from training.distillation.record import read_record, record_of, request_of, write_record
from training.distillation.songs import Stretch, read_songs, sound_files, stretches
from training.distillation.teacher import Teacher, part_of
from training.families.offline import render_file
from training.loop.run_folder import checkpoint_folders

RENDERING_SHARE = 0.5
"""Of the minutes. What rendering does not use, training gets."""
STRETCH_S = 8.0
"""Whole chunks of AVSyncD and whole segments of TempoTokens."""
TEACHER_NETWORK = "training.diffusion.vae_features:encoder"
"""What --feature-network is without a name. Named, not imported: it reads libraries that not everyone has."""
MOST_STRETCH_S = 3600.0
FOLDER = "renderings"
STRIP = "rendering.png"


def teacher_family(name: str) -> RenderFamily:
    """Return the diffusion model of that name. Raises TrainingError where there is none, or where its libraries are missing."""
    names = family_names()
    if name not in names:
        raise TrainingError(
            f"There is no teacher '{shortened(name)}'.{nearest_name(name, names)} Choose from: {', '.join(names)}."
        )
    return render_family(name)


def add_teacher_arguments(parser: ArgumentParser, name: str) -> None:
    """Declare the flags of a teacher. Raises as `teacher_family`."""
    family = teacher_family(name)
    parser.add_argument("--weights", type=Path, metavar="FOLDER", help="folder with the teacher's published files")
    add_check_argument(parser)
    parser.add_argument(
        "--audio", type=Path, nargs="+", default=[], metavar="SOUND", help="sounds, and folders of sounds"
    )
    parser.add_argument(
        "--stretch", type=float, default=STRETCH_S, metavar="S", help=f"seconds in one go; default {STRETCH_S:g}"
    )
    parser.add_argument(
        "--feature-network",
        nargs="?",
        const=TEACHER_NETWORK,
        metavar="MODULE:FUNCTION",
        help="features that live frames are compared by too; without a name, those of the teacher's autoencoder",
    )
    add_job_arguments(parser, family)
    family.add_arguments(parser)


def feature_settings(arguments: Namespace) -> list[str]:
    """Return the settings of the training for --feature-network. Raises TrainingError for weights that are missing."""
    if arguments.feature_network is None:
        return []
    if arguments.feature_network != TEACHER_NETWORK:
        # Before hours of rendering, not after them.
        load_function(arguments.feature_network, "--feature-network")
    settings = {"losses.features": 1.0, "losses.feature_network": arguments.feature_network}
    if arguments.feature_network == TEACHER_NETWORK:
        family = teacher_family(arguments.teacher)
        places = require(arguments.weights, family.weight_files(arguments))
        settings["losses.feature_weights"] = str(places[family.autoencoder].absolute())
    return [f"{key}={json.dumps(value)}" for key, value in settings.items()]


def subject(arguments: Namespace) -> Path:
    """Return what a run is named after: the still, or the first sound. Raises TrainingError where a flag is missing."""
    needed = (
        ("--weights", arguments.weights, "the folder with the teacher's published files"),
        ("--audio", arguments.audio, "the sounds that it renders, or a folder of them"),
        ("--minutes", arguments.minutes, "the time for rendering and training together"),
    )
    for flag, value, what in needed[:1] if arguments.check_weights else needed:
        if not value:
            raise TrainingError(f"{flag} is missing; --teacher needs {what}.")
    return getattr(arguments, "image", None) or next(iter(arguments.audio), arguments.weights)


def rendered_clip(arguments: Namespace, clip: Path, now_s: Callable[[], float] = time.monotonic) -> Path | None:
    """Render `clip`, in its run folder, or take what is rendered already; None where only the plan or the weights were asked for.

    A run that was begun keeps its clip. Raises TrainingError and MediaError for what cannot be rendered.
    """
    family = teacher_family(arguments.teacher)
    if arguments.seed is None:
        # The same command shows the same scene.
        arguments.seed = 0
    window_s = family.window_s(arguments)
    if not window_s <= arguments.stretch <= MOST_STRETCH_S:
        raise TrainingError(
            f"--stretch is {arguments.stretch:g}; at least the {window_s:g} s that the teacher sees at once, and at most {MOST_STRETCH_S:g}, "
            "were expected."
        )
    files_of_weights = family.weight_files(arguments)
    if arguments.check_weights:
        show_weights(arguments.weights, files_of_weights)
        return None
    check_usable(require(arguments.weights, files_of_weights), files_of_weights)
    folder = (arguments.cache_folder or default_cache_folder().parent) / FOLDER
    teacher = Teacher(arguments.teacher, family, arguments, choose_device(arguments.device), folder)
    files = sound_files(arguments.audio)
    plan = teacher.plan(arguments.stretch)
    check_memory(plan, teacher.job(arguments.stretch), arguments.most_memory)
    # Of stretch after stretch the weights are read once.
    teacher.loaded.keeps = can_keep(plan, teacher.job(arguments.stretch), arguments.most_memory)
    songs, left_out = read_songs(files, window_s, RENDER_RATE_HZ)
    print_line(f"teacher   {arguments.teacher}, for {arguments.stretch:g} s of sound: {plan.about}")
    print_line(f"memory    {memory_told(plan, teacher.job(arguments.stretch), teacher.loaded.keeps)}")
    print_line(*(f"notice    {notice}" for notice in [*plan.notices, *left_out]))
    print_line("reading   the weights, unless they were read before, so that what they have rendered is found")
    every = stretches(songs, arguments.stretch)
    request = request_of(teacher.identity, songs, arguments.stretch)
    record = read_record(clip.parent)
    if checkpoint_folders(clip.parent):
        if record is None or record.request != request:
            raise TrainingError(
                f"{clip.parent} already holds a run on a clip of other sounds, settings or weights; choose another --run-folder."
            )
        if clip.is_file():
            print_line(f"rendered  {clip}, as in the run so far")
            return clip
    wanted = record.chosen(every) if record and record.request == request else []
    rendering = Rendering(teacher, plan, now_s() + RENDERING_SHARE * 60.0 * arguments.minutes, now_s)
    chosen = wanted or rendering.affordable(every)
    _tell(arguments, rendering, chosen, len(songs), len(every))
    if arguments.plan:
        return None
    write_record(clip.parent, record_of(request, chosen))
    try:
        done = rendering.render(chosen, clip.parent / STRIP)
    except KeyboardInterrupt:
        there = sum(map(rendering.is_there, chosen))
        print_line(f"stopped   {there} of {len(chosen)} stretches are kept; the same command goes on from there")
        raise
    write_record(clip.parent, record_of(request, done))
    return join(teacher, done, clip)


def _tell(arguments: Namespace, rendering: Rendering, chosen: Sequence[Stretch], songs: int, whole: int) -> None:
    """Print how the minutes are split."""
    missing = [stretch for stretch in chosen if not rendering.is_there(stretch)]
    there = f", {len(chosen) - len(missing)} of them rendered before" if len(missing) < len(chosen) else ""
    takes = f"; about {duration(sum(map(rendering.expected_s, missing)))} here" if missing else ""
    seconds = sum(stretch.seconds for stretch in chosen)
    most = duration(60.0 * RENDERING_SHARE * arguments.minutes)
    print_line(
        f"render    {len(chosen)} of {whole} stretches, {seconds:g} s, of {songs} sound{'s' if songs > 1 else ''}{there}{takes}",
        f"time      {arguments.minutes:g} minutes in total: up to {most} for rendering, and the rest for training, evaluation and export",
    )


@dataclass
class Rendering:
    """Renders stretches until a time on the monotonic clock."""

    teacher: Teacher
    plan: RenderPlan
    """Of one whole stretch."""
    until_s: float
    now_s: Callable[[], float]

    def __post_init__(self) -> None:
        device, kind = self.teacher.device, self.teacher.job(1.0).kind
        self._of_one_second_s = self.plan.operations / operations_per_s(device, kind) / self.teacher.arguments.stretch

    def is_there(self, stretch: Stretch) -> bool:
        return self.teacher.film(stretch).is_file()

    def expected_s(self, stretch: Stretch) -> float:
        """Return how long a stretch will take to render."""
        return stretch.seconds * self._of_one_second_s

    def affordable(self, every: Sequence[Stretch]) -> list[Stretch]:
        """Return the first stretches for which there is time; what is rendered already takes none. Raises TrainingError for none."""
        chosen, left_s = list[Stretch](), self.until_s - self.now_s()
        for stretch in every:
            left_s -= 0.0 if self.is_there(stretch) else self.expected_s(stretch)
            if left_s < 0.0:
                break
            chosen.append(stretch)
        if not chosen:
            first = every[0]
            raise TrainingError(
                f"Rendering {first.seconds:g} s takes about {duration(self.expected_s(first))} here, and --minutes "
                f"{self.teacher.arguments.minutes:g} leaves less for it; give more minutes, or lower --steps, --width, --height or --stretch."
            )
        return chosen

    def render(self, chosen: Sequence[Stretch], strip: Path) -> list[Stretch]:
        """Render what is not there, and return what is there when the time is over: one stretch at least."""
        done = [stretch for stretch in chosen if self.is_there(stretch)]
        missing = [stretch for stretch in chosen if not self.is_there(stretch)]
        progress = RenderProgress(strip)
        for number, stretch in enumerate(missing):
            begun_s = self.now_s()
            if done and begun_s + self.expected_s(stretch) > self.until_s:
                print_line(
                    f"notice    the time for rendering is over; {len(done)} of {len(chosen)} stretches are what is trained on"
                )
                break
            left = duration(sum(map(self.expected_s, missing[number:])))
            print_line(
                f"rendering {number + 1} of {len(missing)}: {stretch.path.name} from {stretch.start_s:g} s; about {left} left, frames in {strip}"
            )
            self.teacher.render(stretch, progress)
            done.append(stretch)
            # From now on as fast as it was.
            self._of_one_second_s = (self.now_s() - begun_s) / stretch.seconds
        return done


def join(teacher: Teacher, done: Sequence[Stretch], clip: Path) -> Path:
    """Write the clip of all stretches, song after song. Raises SinkError."""
    ordered = sorted(done)
    films = [teacher.film(stretch) for stretch in ordered]
    fps = round(file_frame_rate(films[0]))
    hop_samples = RENDER_RATE_HZ // fps
    parts = []
    for path, of_song in itertools.groupby(ordered, key=lambda stretch: stretch.path):
        # A song is decoded once, however many stretches it has.
        song_S = read_sound(path, RENDER_RATE_HZ)
        for stretch in of_song:
            part_S = part_of(song_S, stretch)
            parts.append(part_S[: len(part_S) // hop_samples * hop_samples])
    whole_S = np.concatenate(parts)
    joined = JoinedClip(films, fps, teacher.arguments.width, teacher.arguments.height)
    frames = render_file(joined, whole_S, clip, "choose another --run-folder")
    print_line(f"rendered  {clip}: {len(whole_S) / RENDER_RATE_HZ:g} s, {frames} frames at {joined.fps} a second")
    return clip
