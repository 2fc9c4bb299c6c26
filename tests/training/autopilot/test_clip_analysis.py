"""Clip analysis: camera, motion and level of a clip, and the clips that are refused."""

import itertools
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition

from engine.core.errors import TrainingError, UserError
from tests.training.clips import RATE_HZ, moving_clip, noise, numbered_frames, write_clip
from training.autopilot.clip_analysis import analyse_clip
from training.autopilot.crop import choose_crop
from training.data.cache import load_clip
from training.data.clip_sound import read_sound
from training.data.frames import read_whole_frames, shown_size
from training.data.video import ClipFormat
from training.evaluation.synchrony.film import read_film
from training.evaluation.synchrony.peak_figures import film_synchrony

FPS, SECONDS = 20, 3


def scene(shake: float = 0.0, width: int = 192, height: int = 96) -> np.ndarray:
    """Return frames [N, H, W, 3] of a textured wall with a small blinking object at the right; `shake` moves the camera."""
    random = np.random.default_rng(3)
    wall = cv2.GaussianBlur(random.integers(0, 256, (height + 40, width + 40, 3)).astype(np.uint8), (0, 0), 2.0)
    wall = cv2.normalize(wall, None, 0, 255, cv2.NORM_MINMAX)
    frames = []
    for index in range(FPS * SECONDS):
        x, y = (20 + shake * random.uniform(-1, 1, 2)).round().astype(int)
        frame = wall[y : y + height, x : x + width].copy()
        frame[height // 3 : height // 2, -30:-10] = 255 * (index // 4 % 2)
        frames.append(frame)
    return np.stack(frames)


def test_a_still_camera_is_told_from_a_moving_one(tmp_path: Path) -> None:
    still = analyse_clip(write_clip(tmp_path / "still.mp4", scene(), noise(SECONDS), FPS))
    shaken = analyse_clip(write_clip(tmp_path / "shaken.mp4", scene(shake=8.0), noise(SECONDS), FPS))
    assert not still.camera_moves
    assert shaken.camera_moves
    assert (still.width, still.height, still.frames_per_s) == (192, 96, FPS)
    assert still.duration_s == pytest.approx(SECONDS, abs=0.2)
    assert -25 < still.level_db < -15
    assert choose_crop(still, Fraction(1)).x > 80
    assert choose_crop(shaken, Fraction(1)).box() == (48, 0, 96, 96)


def test_a_rate_of_25_frames_in_67_days_costs_no_more_than_the_sound_is_long(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "slow.avi", numbered_frames(25), noise(SECONDS), 25)
    header = bytearray(path.read_bytes())
    # Scale and rate of the first track, the video.
    struct.pack_into("<II", header, header.index(b"strh") + 28, 67 * 86400 // 25, 1)
    path.write_bytes(header)
    seen = itertools.islice(read_whole_frames(path, 5, 16), 1000)
    assert len(list(seen)) == 1000
    with pytest.raises(TrainingError, match="one still frame"):
        analyse_clip(path)
    clip = load_clip(path, ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ), tmp_path)
    # The encoder fills its last block with silence.
    assert 20 * SECONDS <= len(clip.frames_NHWC) <= 20 * SECONDS + 2
    assert film_synchrony(read_film(path, with_flow=False)) is None


def test_solid_motion_is_told_from_changing_light_and_from_surfaces(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    soft = [cv2.GaussianBlur(random.uniform(0, 255, (96, 96)).astype(np.float32), (0, 0), 4.0) for _ in range(4)]
    grounds = [cv2.normalize(one, None, 0, 255, cv2.NORM_MINMAX) for one in soft]
    times = np.arange(FPS * SECONDS) / FPS
    rows, columns = np.indices((96, 96), dtype=np.float32)
    near = np.exp(-((rows - 48) ** 2 + (columns - 48) ** 2) / 500.0)
    shifts = [(columns + 5 * np.sin(6 * t) * near).astype(np.float32) for t in times]
    warped = [cv2.remap(grounds[0], shifted, rows, cv2.INTER_LINEAR) for shifted in shifts]
    mixed = [sum((0.5 + 0.5 * np.sin((2 + i) * t + i)) * g for i, g in enumerate(grounds)) / 4 for t in times]
    boiling = [cv2.GaussianBlur(random.uniform(0, 255, (96, 96)).astype(np.float32), (0, 0), 3.0) for _ in times]
    boiling = [cv2.normalize(one, None, 0, 255, cv2.NORM_MINMAX) for one in boiling]
    found = {}
    for name, frames in (("warped", warped), ("mixed", mixed), ("boiling", boiling)):
        frames_NHWC = np.repeat(np.stack(frames).clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)
        found[name] = analyse_clip(write_clip(tmp_path / f"{name}.mp4", frames_NHWC, noise(SECONDS), FPS))
    assert found["warped"].kind == "solid"
    assert found["boiling"].kind == "fluid"
    # Four frames in a mixture of their own are three changes from their mean.
    assert found["mixed"].kind == "light"
    assert found["mixed"].mixture_fit_error < 0.2 < found["boiling"].mixture_fit_error
    assert (
        "light, brightness that comes and goes in its place: warping one frame explains"
        in found["mixed"].motion_words()
    )


@pytest.mark.parametrize(
    ("sound", "seconds", "sentence"),
    [
        (None, 3.0, "has no sound track"),
        (np.zeros((1, 48000), np.float32), 3.0, r"silent sound track \(-\d+ dB\)"),
        (noise(1.0), 1.0, r"has 1\.0 s of video with sound; at least 2 s"),
        (0.03 * noise(3.0), 3.0, r"nothing in its sound but steady noise at -5\d dB, .*louder than its noise"),
    ],
    ids=["no sound", "silent", "short", "quieter than its noise"],
)
def test_an_unusable_clip_is_refused_with_a_sentence(
    tmp_path: Path, sound: np.ndarray | None, seconds: float, sentence: str
) -> None:
    frames = scene(width=64, height=48)[: round(FPS * seconds)]
    with pytest.raises(UserError, match=sentence):
        analyse_clip(write_clip(tmp_path / "clip.mp4", frames, sound, FPS))


def test_one_clap_above_the_noise_is_sound(tmp_path: Path) -> None:
    sound = 0.03 * noise(SECONDS)
    sound[0, 16000:16800] *= 30
    assert analyse_clip(write_clip(tmp_path / "clap.mp4", scene(), sound, FPS)).level_range_db[1] < -45


@pytest.mark.parametrize("grain", [0, 8])
def test_a_still_frame_is_refused_with_a_sentence(tmp_path: Path, grain: int) -> None:
    still = np.repeat(scene()[:1], FPS * SECONDS, axis=0)
    still = (still + grain * np.random.default_rng(5).standard_normal(still.shape)).clip(0, 255).astype(np.uint8)
    path = write_clip(tmp_path / "still.mp4", still, noise(SECONDS), FPS)
    with pytest.raises(TrainingError, match=r"still\.mp4 shows one still frame, so there is no motion to learn"):
        analyse_clip(path)


def test_crop_and_kind_are_judged_on_the_training_part_alone(tmp_path: Path) -> None:
    """In the last third something large moves at the left, which nothing may be chosen by."""
    frames = scene()
    moving = frames.copy()
    for index in range(2 * len(frames) // 3, len(frames)):
        moving[index, 20:90, :60] = 255 * (index // 4 % 2)
    own = analyse_clip(write_clip(tmp_path / "own.mp4", frames[: 2 * len(frames) // 3], noise(SECONDS), FPS))
    part = analyse_clip(write_clip(tmp_path / "part.mp4", moving, noise(SECONDS), FPS), trained_share=0.6)
    whole = analyse_clip(tmp_path / "part.mp4")
    assert part.trained_s == pytest.approx(0.6 * part.duration_s)
    crops = [choose_crop(analysis, Fraction(1)).box() for analysis in (part, own, whole)]
    assert crops[0] == crops[1] != crops[2]
    assert part.kind == own.kind


def test_a_song_with_a_cover_image_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        audio, cover = container.add_stream("libmp3lame", rate=16000, layout="mono"), container.add_stream("png")
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 32, 32, "rgb24", Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        sound = av.AudioFrame.from_ndarray(noise(SECONDS), format="fltp", layout="mono")
        sound.sample_rate = 16000
        container.mux(audio.encode(sound))
        container.mux(audio.encode())
    with pytest.raises(UserError, match=r"song\.mp3 is music with a cover image, which never moves; give a video"):
        analyse_clip(path)
    assert len(read_sound(path, 16000)) > 0


def test_a_single_frame_beside_sound_is_no_video_either(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "cover.mkv", scene()[:1], noise(SECONDS), FPS)
    with pytest.raises(TrainingError, match=r"cover\.mkv shows a single frame beside its sound, .*; give a video"):
        analyse_clip(path)


def test_files_that_are_not_videos_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent"):
        analyse_clip(tmp_path / "absent.mp4")
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    with pytest.raises(UserError, match="is not a"):
        analyse_clip(text)
    half = tmp_path / "half.mp4"
    half.write_bytes(moving_clip(tmp_path / "whole.mp4").read_bytes()[:2000])
    with pytest.raises(UserError, match=r"not a sound or video|damaged|no video"):
        shown_size(half)
