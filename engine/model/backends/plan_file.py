"""A plan: a network compiled ahead of time for certain GPUs, with its model card and its key.

A plan is a zip of two stored entries, so any zip reader shows what it is without a runtime:

    plan.json      the format, the model card, the key and the checksum of the engine
    engine.plan    the library's own bytes

A plan runs only with the library version and the GPUs that it was built for; any other is refused before it is opened.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from engine.core.cache_folder import cache_root
from engine.core.errors import BackendError, ModelFileError
from engine.core.structured import parse_json, structure
from engine.model.card import FORMAT_VERSION, READ_VERSIONS, ModelCard
from engine.model.content import ModelSource, open_content, unreadable

SUFFIX = ".plan"
FORMAT = f"fluid plan 1, model card {FORMAT_VERSION}"
READ_FORMATS = tuple(f"fluid plan 1, model card {version}" for version in READ_VERSIONS)
HEADER_ENTRY, ENGINE_ENTRY = "plan.json", "engine.plan"
REBUILD = "build it again with: python -m export.to_tensorrt MODEL.onnx --gpu {gpu} -o {file}"
LIBRARY = "tensorrt_rtx"
INSTALL = 'install it with: pip install -e ".[rtx]"'
_LONGEST_REASON = 200
_READ_BYTES = 1 << 20
_LONGEST_HEADER_BYTES = 1 << 22


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanKey:
    """The facts that a plan depends on. Plans with equal keys are interchangeable, though their bytes may differ."""

    model_sha256: str
    """Checksum of the entire .onnx file."""
    library: str
    library_version: str
    gpus: tuple[str, ...]
    """Generations of graphics cards it runs on, such as ("sm86", "sm89"), sorted."""
    precision: str

    def digest(self) -> str:
        """Return a short name of the key, for a file name in the cache."""
        return hashlib.sha256(json.dumps(dataclasses.astuple(self)).encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanHeader:
    """The description of a plan file, as it is stored."""

    format: str
    model_file: str
    key: PlanKey
    engine_sha256: str
    card: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The content of a plan file; `engine` is empty where only the header was read."""

    card: ModelCard
    key: PlanKey
    model_file: str
    """Name of the .onnx file that it was built from."""
    engine: bytes


def plan_content(plan: Plan) -> bytes:
    """Return the bytes of a plan file."""
    header = {
        "format": FORMAT,
        "model_file": plan.model_file,
        "key": dataclasses.asdict(plan.key),
        "engine_sha256": hashlib.sha256(plan.engine).hexdigest(),
        "card": dataclasses.asdict(plan.card),
    }
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        # ZipInfo's default date, 1980, so that the time of writing is not part of the file.
        archive.writestr(zipfile.ZipInfo(HEADER_ENTRY), json.dumps(header, indent=1))
        archive.writestr(zipfile.ZipInfo(ENGINE_ENTRY), plan.engine)
    return stream.getvalue()


def read_card(path: ModelSource) -> ModelCard:
    """Read the card of a plan file. Raises ModelFileError as `read_plan` does, except for faults in the engine, which it does not read."""
    return read_header(path).card


def read_header(path: ModelSource) -> Plan:
    """Read everything but the engine. Raises ModelFileError for a file that is missing, no plan, or of another format."""
    return _read(path, with_engine=False)


def read_plan(path: ModelSource) -> Plan:
    """Read a plan file. Raises ModelFileError for a file that is missing, no plan, cut short, altered, or of another format."""
    return _read(path, with_engine=True)


def file_sha256(path: Path) -> str:
    """Return the checksum of a file. Raises ModelFileError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open_content(path) as stream:
            while block := stream.read(_READ_BYTES):
                digest.update(block)
    except OSError as error:
        raise ModelFileError(
            f"{path} cannot be read ({error.strerror}); check the path and its permissions."
        ) from error
    return digest.hexdigest()


def check_fits(plan: Plan, file: Path, library: str, library_version: str, gpu: str) -> None:
    """Raise ModelFileError unless the plan was built by this library for this GPU, and from the model file beside it, if any."""
    key = plan.key
    again = REBUILD.format(gpu=gpu, file=file)
    if (key.library, key.library_version) != (library, library_version):
        raise ModelFileError(
            f"{file} was built with {key.library} {key.library_version}, but {library} {library_version} is installed; {again}"
        )
    if gpu not in key.gpus:
        raise ModelFileError(f"{file} was built for {', '.join(key.gpus)}, but this machine's GPU is {gpu}; {again}")
    model = file.with_name(plan.model_file)
    if model.is_file() and file_sha256(model) != key.model_sha256:
        raise ModelFileError(f"{file} was built from another {plan.model_file} than the one beside it; {again}")


def plan_cache_folder() -> Path:
    """Return the cache folder of plans that were built without -o."""
    return cache_root() / "plans"


def find_plan(model: Path, library: str, library_version: str, gpu: str, folder: Path | None = None) -> Path | None:
    """Return the newest cached plan of a model file that fits this library and GPU; None when there is none.

    Nothing is locked: plans are written atomically.
    """
    sha256 = file_sha256(model)
    for path, key in cached_plans(folder or plan_cache_folder()):
        if (key.model_sha256, key.library, key.library_version) == (
            sha256,
            library,
            library_version,
        ) and gpu in key.gpus:
            return path
    return None


def cached_plans(folder: Path) -> Iterator[tuple[Path, PlanKey]]:
    """Yield the readable plans of a folder, newest first; damaged and foreign files are skipped."""
    dated: list[tuple[int, Path]] = []
    for path in folder.glob(f"*{SUFFIX}") if folder.is_dir() else ():
        try:
            dated.append((path.stat().st_mtime_ns, path))
        except OSError:  # pruned meanwhile by another process
            continue
    for _, path in sorted(dated, reverse=True):
        try:
            yield path, read_header(path).key
        except ModelFileError:
            continue


def load_library(what: str) -> Any:
    """Import TensorRT for RTX; `what` is the subject of the sentence when it does not load. Raises BackendError."""
    try:
        return importlib.import_module(LIBRARY)
    # OSError: the package is there, but its shared libraries cannot be loaded.
    except (ImportError, OSError) as error:
        raise BackendError(f"{what} needs TensorRT for RTX ({error}); {INSTALL}") from error


def error_logger(library: Any, errors: list[str]) -> Any:
    """Return a logger for the library that appends errors to `errors`; the library's own would print them."""

    class ErrorLogger(library.ILogger):
        def __init__(self) -> None:
            library.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            if severity in (library.ILogger.ERROR, library.ILogger.INTERNAL_ERROR):
                errors.append(msg)

    return ErrorLogger()


def first_reason(errors: Sequence[str]) -> str:
    """Return the first error on one line, without its place in the library's source."""
    text = " ".join(errors[0].split()) if errors else "it gives no reason"
    text = text.split("] ", 1)[-1].split(" In compileGraph", 1)[0].rstrip(".)( ")
    return text[:_LONGEST_REASON]


def _read(source: ModelSource, with_engine: bool) -> Plan:
    file = Path(source)
    try:
        with open_content(source) as stream, zipfile.ZipFile(stream) as archive:
            if set(archive.namelist()) != {HEADER_ENTRY, ENGINE_ENTRY}:
                raise zipfile.BadZipFile
            # Entries are stored, so no entry can be larger than the file.
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise zipfile.BadZipFile
            if archive.getinfo(HEADER_ENTRY).file_size > _LONGEST_HEADER_BYTES:
                raise zipfile.BadZipFile
            header = parse_json(archive.read(HEADER_ENTRY))
            engine = archive.read(ENGINE_ENTRY) if with_engine else b""
    # The last two are what zipfile raises for an entry that was encrypted or uses an unknown method.
    except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        raise ModelFileError(f"{file} is damaged or no plan; copy it again, or {_again(file)}") from error
    except OSError as error:
        raise unreadable(file, error) from error
    return _plan(header, engine if with_engine else None, file)


def _plan(header: Any, engine: bytes | None, file: Path) -> Plan:
    if not isinstance(header, dict) or cast(dict[str, Any], header).get("format") not in READ_FORMATS:
        raise ModelFileError(f"{file} was written by another version of Fluid; {_again(file)}")
    described = structure(
        PlanHeader,
        cast(dict[str, Any], header),
        ModelFileError,
        before=f"{file} has a faulty description: ",
        after=f" To mend it, {_again(file)}",
    )
    if engine is not None and hashlib.sha256(engine).hexdigest() != described.engine_sha256:
        raise ModelFileError(
            f"{file} was altered or damaged: its engine has another checksum than its description says; "
            f"copy it again, or {_again(file)}"
        )
    return Plan(
        card=ModelCard.from_values(described.card, str(file)),
        key=described.key,
        model_file=Path(described.model_file).name,
        engine=engine or b"",
    )


def _again(file: Path) -> str:
    return REBUILD.format(gpu="GPU", file=file)
