"""What `--render` is asked for: one sound, or several with names, to one file; or several sounds and folders of sounds into a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.app.sink_registry import VIDEO_SUFFIXES
from engine.audio.sources.spec import parse_spec
from engine.core.distinct_names import distinct_names
from engine.core.errors import ConfigError
from engine.media.address import scheme_of, shown_address
from engine.media.file_names import SOUND_SUFFIXES

OUTPUT_SUFFIX = ".mp4"


@dataclass(frozen=True, slots=True)
class Rendering:
    """One sound and the video file that it becomes."""

    sound: str
    output: Path


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """The paths given to `--render`."""

    sounds: tuple[str, ...]
    """Sources as `open_source` takes them, and folders."""
    output: str
    """A file for one sound and for named inputs, else a folder."""
    are_inputs: bool = False
    """Whether the sounds have names and are played together."""

    @classmethod
    def of(cls, paths: Sequence[str]) -> RenderRequest:
        """Read the paths. Raises ConfigError for one path alone and for several sounds with a file as their output."""
        if len(paths) < 2:
            raise ConfigError(
                f"--render was given {paths[0]} alone; a sound and its video file were expected, or sounds and a folder."
            )
        sounds = tuple(paths[:-1])
        named = [sound for sound in sounds if parse_spec(sound).name is not None]
        request = cls(sounds, paths[-1], are_inputs=bool(named))
        output = Path(request.output)
        if request.are_inputs:
            _check_inputs(sounds, named, request.output)
            return request
        if request.into_folder and (output.is_file() or output.suffix.lower() in VIDEO_SUFFIXES):
            first, *more = request.sounds
            what = f"{1 + len(more)} sounds" if more else f"the folder {first}"
            raise ConfigError(
                f"--render was given {what} and, as the last path, the file {output}; give a folder to render into."
            )
        if any(_is_folder(sound) and Path(sound).resolve() == output.resolve() for sound in request.sounds):
            raise ConfigError(
                f"--render was given the folder {output} to render and to render into; give another folder."
            )
        return request

    @property
    def into_folder(self) -> bool:
        """Tell whether the output is a folder: for several sounds, for a folder of them, and where it is one already."""
        first, *more = self.sounds
        if self.are_inputs:
            return False
        return bool(more) or _is_folder(first) or Path(self.output).is_dir() or self.output.endswith(("/", "\\"))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The sources of a film: all sounds where they have names, else one that stands for each of them."""
        return self.sounds if self.are_inputs else self.sounds[:1]

    def renderings(self) -> list[Rendering]:
        """List the sounds with their outputs, each sound once and each with an output of its own.

        A folder stands for the sound and video files in it and in its folders, which the output repeats. Raises ConfigError
        for a folder without any.
        """
        folder = Path(self.output)
        found: dict[str, Path] = {}
        seen: set[Path] = set()
        for sound, place in self._sounds(folder):
            if Path(sound).resolve() not in seen:
                seen.add(Path(sound).resolve())
                found[sound] = place
        names = distinct_names(list(found.values()))
        return [
            Rendering(sound, folder / name.with_name(name.name + OUTPUT_SUFFIX))
            for sound, name in zip(found, names, strict=True)
        ]

    def _sounds(self, output: Path) -> Iterator[tuple[str, Path]]:
        """Yield each sound and its path below the folder that it was found in."""
        for given in self.sounds:
            if not _is_folder(given):
                yield given, Path(_file_name(given))
                continue
            root = Path(given)
            files = [file for file in sorted(root.rglob("*")) if _is_sound(file, root, output)]
            if not files:
                raise ConfigError(f"The folder {root} holds no sound or video file; give another one, or files.")
            for file in files:
                yield str(file), file.relative_to(root)


def _check_inputs(sounds: Sequence[str], named: Sequence[str], output: str) -> None:
    """Raise ConfigError for sounds of which some have a name, and for a folder as the output."""
    for sound in sounds:
        if sound not in named:
            raise ConfigError(
                f"--render was given '{shown_address(named[0])}' with a name and '{shown_address(sound)}' without; give all of "
                "them names, to play them together, or none."
            )
    if Path(output).is_dir() or output.endswith(("/", "\\")):
        raise ConfigError(
            f"--render was given inputs with names, which become one film, and the folder {output}; give a file, e.g. show.mp4."
        )


def _is_folder(sound: str) -> bool:
    # An address can be longer than a path may be.
    return scheme_of(sound) is None and Path(sound).is_dir()


def _file_name(sound: str) -> str:
    """Return the name for the film of a sound: the last part of a path or an address, without what may be secret."""
    path = shown_address(sound).removesuffix("?...").rstrip("/") if scheme_of(sound) else sound
    return Path(path).name.replace(":", "-")


def _is_sound(file: Path, root: Path, output: Path) -> bool:
    if file.suffix.lower() not in SOUND_SUFFIXES or not file.is_file():
        return False
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    # What an earlier rendering wrote into a folder inside this one is no sound to render.
    earlier = file.resolve().is_relative_to(output.resolve())
    return not hidden and not earlier
