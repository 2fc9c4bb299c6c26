"""Chooses a track: the one asked for, by number from 1 or by language, else the file's default one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from engine.core.errors import MediaError
from engine.core.printable import printable

_LONGEST_TITLE = 40

Track = TypeVar("Track", AudioStream, VideoStream)


def sound_track(container: InputContainer, path: Path | str, wanted: str | int | None = None) -> AudioStream:
    """Return the sound track. Raises MediaError without one, for a track that is not there, or an unknown codec."""
    tracks = list(container.streams.audio)
    if not tracks:
        raise MediaError(f"{path} has no sound track; give a file with sound.")
    track = _default(tracks) if wanted is None else _wanted(tracks, str(wanted).strip(), path)
    if not _has_decoder(track):
        raise MediaError(
            f"{path} has sound in a codec that is unknown here{_tag(track)}; convert it with: ffmpeg -i FILE sound.wav"
        )
    return track


def video_track(container: InputContainer, path: Path | str) -> VideoStream:
    """Return the video track. Raises MediaError without one; the cover of a song is none."""
    tracks = video_tracks(container)
    if not tracks and container.streams.video:
        raise MediaError(
            f"{path} is music with a cover image, which never moves; give a video with the sound that moves it."
        )
    if not tracks:
        raise MediaError(f"{path} has no video track; a video with sound was expected.")
    track = _default(tracks)
    if not _has_decoder(track):
        raise MediaError(
            f"{path} has video in a codec that is unknown here{_tag(track)}; convert it with: ffmpeg -i FILE film.mp4"
        )
    return track


def video_tracks(container: InputContainer) -> list[VideoStream]:
    """Return the video tracks, without covers."""
    return [track for track in container.streams.video if Disposition.attached_pic not in track.disposition]


def track_name(container: InputContainer, index: int) -> str:
    """Return a sound track for a message, by its place from 0: "2 (ger)"."""
    return _names(list(container.streams.audio))[index]


def _default(tracks: Sequence[Track]) -> Track:
    """Return the first default track that can be decoded, else the first that can, else the first."""
    known = [track for track in tracks if _has_decoder(track)]
    default = [track for track in known if Disposition.default in track.disposition]
    return [*default, *known, *tracks][0]


def _has_decoder(track: Any) -> bool:
    return track.codec_context is not None


def _wanted(tracks: Sequence[AudioStream], wanted: str, path: Path | str) -> AudioStream:
    if wanted.isdecimal():
        found = [track for number, track in enumerate(tracks, 1) if number == int(wanted)]
    else:
        found = [track for track in tracks if wanted and _language(track).startswith(wanted.lower())]
    if not found:
        count = "one sound track" if len(tracks) == 1 else f"{len(tracks)} sound tracks"
        way_out = f"give a number from 1 to {len(tracks)} or a language" if len(tracks) > 1 else "choose none"
        raise MediaError(f"{path} has {count}, {', '.join(_names(tracks))}, and no track '{wanted}'; {way_out}.")
    return found[0]


def _names(tracks: Sequence[AudioStream]) -> list[str]:
    names = [", ".join(filter(None, (_language(track), _title(track)))) for track in tracks]
    return [f"{number}{f' ({name})' if name else ''}" for number, name in enumerate(names, 1)]


def _title(track: Any) -> str:
    return printable(str(track.metadata.get("title", "")).strip(), _LONGEST_TITLE)


def _language(track: Any) -> str:
    language = printable(str(track.metadata.get("language", "")).lower(), _LONGEST_TITLE)
    return "" if language == "und" else language


def _tag(track: Any) -> str:
    """Return the codec's four letters in brackets where the file tells them."""
    tag = str(getattr(track, "codec_tag", "") or "").strip("\0 ")
    return f" ({tag})" if tag.isprintable() and tag else ""
