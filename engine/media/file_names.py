"""Sound files by name, among the other files of a folder."""

from __future__ import annotations

SOUND_SUFFIXES = (
    *(".aac", ".ac3", ".aif", ".aiff", ".amr", ".au", ".caf", ".flac", ".m4a", ".mka", ".mp3", ".oga", ".ogg", ".opus"),
    *(".wav", ".wma", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"),
)
"""Of the files that are taken out of a folder of sounds, films with sound among them; all others there are left alone."""
