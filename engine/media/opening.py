"""Opens media files. A path is a path: colons, percent signs, leading dashes and umlauts are parts of a name."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError

from engine.core.errors import MediaError
from engine.core.small_files import check_file, open_file

NAMING_OTHER_FILES = ("concat", "dash", "hls", "image2", "imf", "rtsp", "sdp", "smoothstreaming")
"""FFmpeg's formats that lead to other files or addresses: these may be pipes, playlists again, or never end."""
JPEG_BEGINNINGS = (b"\xff\xd8\xff",)
PLAYLIST_BEGINNINGS = (b"#EXTM3U", b"ffconcat")
THIS_FILE_ONLY = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(sorted(av.formats_available - set(NAMING_OTHER_FILES))),
}


def open_media(path: Path | str) -> InputContainer:
    """Open a regular file for reading. Raises MediaError when it is missing, something else, or no sound or video file."""
    try:
        check_file(path)
    except FileNotFoundError as error:
        raise MediaError(f"There is no file {path}; give the path of a sound or video file.") from error
    except OSError as error:
        raise MediaError(
            f"{path} cannot be opened ({error.strerror}); give the path of a sound or video file."
        ) from error
    try:
        return _opened(path)
    except (FFmpegError, OSError, ValueError) as error:
        if _is_playlist(path):
            raise MediaError(f"{path} is a playlist, which names other files; give one of those.") from error
        raise MediaError(
            f"{path} is not a sound or video file that can be read ({reason(error)}); give another."
        ) from error


def _opened(path: Path | str) -> InputContainer:
    def opened(kind: str | None) -> InputContainer:
        # Tags of older files are often no UTF-8; they do not matter here.
        return av.open(f"file:{os.fspath(path)}", format=kind, metadata_errors="replace", options=dict(THIS_FILE_ONLY))

    try:
        return opened(None)
    except FFmpegError:
        # By the name of a JPEG of more than two kilobytes FFmpeg takes image2, which also reads other files.
        if not _begins_with(path, JPEG_BEGINNINGS):
            raise
        return opened("jpeg_pipe")


def _is_playlist(path: Path | str) -> bool:
    return _begins_with(path, PLAYLIST_BEGINNINGS)


def _begins_with(path: Path | str, beginnings: tuple[bytes, ...]) -> bool:
    with suppress(OSError), open_file(path) as file:
        return file.read(len(max(beginnings, key=len))).startswith(beginnings)
    return False


def duration_s(path: Path | str) -> float | None:
    """Return how long a file lasts, as far as it tells; joined recordings last longer. Raises MediaError as `open_media`."""
    with open_media(path) as container:
        return None if container.duration is None else container.duration / av.time_base


def reason(error: Exception) -> str:
    """Return FFmpeg's reason for an error, without the path."""
    return str(getattr(error, "strerror", None) or error)
