"""Single frames of a clip in more detail than it is trained in, for textures that a window shows at its own size."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import torch
from torch import Tensor

from engine.core.errors import TrainingError
from engine.media.geometry import centred_box
from training.core.frame_size import FrameSize
from training.data.config import ClipConfig
from training.data.footage import find_sources
from training.data.frames import shown_size
from training.data.sources import Source, VideoFile
from training.data.video import Clip
from training.data.windows import Segment

# K frames, H W rows and columns


def sharp_frames(clips: ClipConfig, scale: int, places: Sequence[tuple[Segment, int]]) -> Tensor | None:
    """Return the frames [K, 3, H, W] in [-1, 1] at these places, segment and number in its clip, `scale` times as high and wide.

    Detail beyond the clip's own pixels is interpolated. None where a clip is no file of the run, as the noise that times a
    machine. Raises TrainingError where a clip has no more pixels than the frame.
    """
    sources = {source.name: source for path in clips.paths() for source in find_sources(path, clips.sound_choice())}
    found: dict[int, Tensor] = {}
    for name in dict.fromkeys(segment.clip.file for segment, _ in places):
        if name not in sources:
            return None
        chosen = {k: number for k, (segment, number) in enumerate(places) if segment.clip.file == name}
        clip = next(segment.clip for segment, _ in places if segment.clip.file == name)
        found |= _frames_of(sources[name], clip, scale, chosen)
    return torch.stack([found[k] for k in range(len(places))])


def _frames_of(source: Source, clip: Clip, scale: int, chosen: dict[int, int]) -> dict[int, Tensor]:
    if not isinstance(source, VideoFile):
        raise TrainingError(
            f"{source.name} is a folder of images, and textures take more detail from video files alone; set model.generator.texture_scale to 1."
        )
    whole = clip.format.frame_size
    size = FrameSize(scale * whole.height, scale * whole.width)
    shown = shown_size(source.path)
    cut = clip.format.crop[2:] if clip.format.crop else centred_box(*shown, whole.shape)[2:]
    if cut[0] <= whole.width and cut[1] <= whole.height:
        raise TrainingError(
            f"{source.name} has {cut[0]}x{cut[1]} pixels for a frame of {whole}, so its textures cannot have more detail; set "
            "model.generator.texture_scale to 1, or a smaller model.image_size."
        )
    found: dict[int, Tensor] = {}
    with closing(source.frames(replace(clip.format, image_size=size.image_size))) as frames:
        for number, frame_HWC in enumerate(frames):
            for k in (k for k, wanted in chosen.items() if wanted == number):
                found[k] = torch.from_numpy(frame_HWC.copy()).permute(2, 0, 1).float() / 127.5 - 1.0
            if len(found) == len(chosen):
                break
    return found
