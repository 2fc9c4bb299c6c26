"""Pieces of files of every kind: the right place, whatever the container, and no more memory than the piece."""

import struct
import tracemalloc
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import MediaError
from tests.training.clips import RATE_HZ, noise, numbered_frames, write_clip, write_wav
from training.data.clip_sound import read_sound, read_track
from training.data.sound_piece import read_piece

# Each place has a level and a phase of its own.
RAMP = (np.linspace(0.0, 0.9, 10 * RATE_HZ) * np.sin(np.linspace(0.0, 200.0, 10 * RATE_HZ) ** 2)).astype(np.float32)


def flac(path: Path, sound_S: NDArray[np.float32]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=RATE_HZ, layout="mono")
        for start in range(0, len(sound_S), 4096):
            block = (sound_S[None, start : start + 4096] * 32767).round().astype(np.int16)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE_HZ, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("write", [write_wav, flac])
@pytest.mark.parametrize("share", [0.0, 0.37, 1.0])
def test_a_piece_is_the_sound_at_its_place(tmp_path: Path, write, share: float) -> None:
    path = write(tmp_path / f"ramp.{'flac' if write is flac else 'wav'}", RAMP)
    found = read_piece(path, share, 2.0, RATE_HZ)
    first = round(share * 8 * RATE_HZ)
    assert found.start_s == pytest.approx(share * 8.0)
    np.testing.assert_allclose(found.sound_S, read_sound(path, RATE_HZ)[first : first + 2 * RATE_HZ], atol=1e-4)
    assert np.corrcoef(found.sound_S, RAMP[first : first + 2 * RATE_HZ])[0, 1] > 0.99


def test_a_compressed_track_of_a_video_is_cut_at_its_place(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(200), noise(10.0))
    whole_S, _ = read_track(path)
    found = read_piece(path, 0.5, 2.0, RATE_HZ)
    first = round(found.start_s * RATE_HZ)
    # The decoder starts in the middle, so the first block is not the same.
    likeness = np.corrcoef(found.sound_S[2048:], whole_S[first + 2048 : first + 2 * RATE_HZ])[0, 1]
    assert (len(found.sound_S), likeness > 0.999) == (2 * RATE_HZ, True)


def test_a_short_file_is_given_whole_and_at_another_rate(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "short.wav", RAMP[: RATE_HZ // 2])
    found = read_piece(path, 0.7, 5.0, 8000)
    assert (len(found.sound_S), found.start_s) == (4000, 0.0)


def test_a_piece_of_a_long_file_needs_the_memory_of_the_piece(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "long.wav", np.resize(RAMP, 300 * RATE_HZ))
    read_piece(path, 0.9, 1.0, RATE_HZ)
    tracemalloc.start()
    try:
        read_piece(path, 0.9, 1.0, RATE_HZ)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 80 * RATE_HZ  # bytes; the whole file has 1,200 * RATE_HZ as float32


@pytest.mark.parametrize("channels", [2, 8, 9, 64])
def test_any_number_of_channels_is_mixed_to_one(tmp_path: Path, channels: int) -> None:
    sound_SC = np.zeros((RATE_HZ, channels), np.int16)
    sound_SC[:, 0] = np.tile([16384, -16384], RATE_HZ // 2)
    with wave.open(str(tmp_path / "many.wav"), "wb") as file:
        file.setparams((channels, 2, RATE_HZ, 0, "NONE", "not compressed"))
        file.writeframes(sound_SC.tobytes())
    for sound_S in (read_piece(tmp_path / "many.wav", 0.0, 1.0, RATE_HZ).sound_S, read_track(tmp_path / "many.wav")[0]):
        np.testing.assert_allclose(
            np.abs(sound_S[RATE_HZ // 2 :]), 0.5 / (2 if channels == 2 else channels**0.5), rtol=2e-3
        )


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(content)) + content for name, content in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def test_tags_that_are_no_utf_8_do_not_matter(tmp_path: Path) -> None:
    kind = struct.pack("<HHIIHH", 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    tags = b"INFOINAM" + struct.pack("<I", 4) + b"caf\xe9"
    (tmp_path / "a.wav").write_bytes(riff((b"fmt ", kind), (b"LIST", tags), (b"data", bytes(2 * RATE_HZ))))
    assert len(read_piece(tmp_path / "a.wav", 0.0, 1.0, RATE_HZ).sound_S) == RATE_HZ


def test_files_that_are_no_sound_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty.wav").write_bytes(b"")
    write_clip(tmp_path / "mute.mp4", numbered_frames(20), None)
    for name, sentence in (
        ("text.csv", r"text\.csv is not a sound or video file that can be read \(.+\); give another"),
        ("empty.wav", r"empty\.wav is not a sound or video file"),
        ("mute.mp4", "has no sound track; give a file with sound"),
        ("absent.wav", r"There is no file .*absent\.wav"),
    ):
        with pytest.raises(MediaError, match=sentence):
            read_piece(tmp_path / name, 0.0, 1.0, RATE_HZ)


def test_samples_that_are_no_numbers_are_silence(tmp_path: Path) -> None:
    kind = struct.pack("<HHIIHH", 3, 1, RATE_HZ, 4 * RATE_HZ, 4, 32)
    broken = np.full(RATE_HZ, np.nan, np.float32).tobytes()
    (tmp_path / "nan.wav").write_bytes(riff((b"fmt ", kind), (b"data", broken)))
    assert not read_piece(tmp_path / "nan.wav", 0.0, 1.0, RATE_HZ).sound_S.any()


def test_a_piece_from_the_middle_of_an_offset_has_none(tmp_path: Path) -> None:
    tone_S = 0.1 * np.sin(2 * np.pi * 440.0 * np.arange(4 * RATE_HZ) / RATE_HZ)
    path = write_wav(tmp_path / "offset.wav", (0.3 + tone_S).astype(np.float32))
    found = read_piece(path, 0.5, 1.0, RATE_HZ).sound_S
    assert np.abs(found.reshape(10, -1).mean(axis=1)).max() < 2e-3


def test_damaged_files_are_read_as_far_as_they_go_or_refused(tmp_path: Path) -> None:
    """Whatever a few changed bytes or a cut do to a file, nothing but a sentence comes out of it."""
    random = np.random.default_rng(0)
    whole = [
        write_wav(tmp_path / "a.wav", noise(2.0)[0]),
        flac(tmp_path / "a.flac", noise(2.0)[0]),
        write_clip(tmp_path / "a.mp4", numbered_frames(40), noise(2.0)),
    ]
    refused: list[str] = []
    for number in range(150):
        path = whole[number % 3]
        content = bytearray(path.read_bytes())
        header_only = number % 2
        for _ in range(int(random.integers(1, 20))):
            content[int(random.integers(200 if header_only else len(content)))] = int(random.integers(256))
        damaged = tmp_path / f"damaged{path.suffix}"
        damaged.write_bytes(content if number % 5 else content[: int(random.integers(len(content)))])
        for read in (lambda file: read_piece(file, 0.5, 1.0, RATE_HZ), lambda file: read_sound(file, RATE_HZ)):
            try:
                read(damaged)
            except MediaError as error:
                refused.append(str(error))
    assert 20 < len(refused) < 250
    assert all("damaged." in sentence for sentence in refused)
