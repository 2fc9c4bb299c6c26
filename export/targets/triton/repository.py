"""The folder that Triton Inference Server reads."""

from __future__ import annotations

from pathlib import Path

from engine.core.atomic_files import atomic_folder
from engine.core.errors import ConfigError, ModelFileError
from engine.model.card import ModelCard
from engine.model.content import FileContent
from engine.model.file import read_model
from engine.model.textures import stored_textures, texture_kind
from export.targets.triton.config import MODEL_FILE, Service, config_text, initial_state_files, model_name
from export.targets.triton.guide import TEXTURES_FOLDER, guide_text

VERSION = "1"


def write_repository(model: Path, repository: Path, service: Service) -> ModelCard:
    """Write the folder `repository` atomically and return the model's card.

    Raises ModelFileError for a file that is no model file or has a faulty texture, ConfigError for a folder that is not empty or cannot be
    written.
    """
    if model.is_file() and model.suffix != ".onnx":
        raise ModelFileError(
            f"{model} is not an ONNX model file, and the server plays no other kind; "
            "give the .onnx file that export.to_onnx wrote."
        )
    card, content = read_model(model)
    if repository.exists() and (not repository.is_dir() or any(repository.iterdir())):
        raise ConfigError(
            f"{repository} already exists and is not an empty folder; choose another place with -o or remove it."
        )
    try:
        with atomic_folder(repository) as unfinished:
            _fill(unfinished, content, card, service)
    except OSError as error:
        raise ConfigError(f"Cannot write {repository}: {error.strerror}; choose another place with -o.") from error
    return card


def _fill(folder: Path, content: FileContent, card: ModelCard, service: Service) -> None:
    model_folder = folder / model_name(card)
    (model_folder / VERSION).mkdir(parents=True)
    (model_folder / VERSION / MODEL_FILE).write_bytes(content.data)
    (model_folder / "config.pbtxt").write_text(config_text(card, service), encoding="utf-8")
    for name, values in initial_state_files(card).items():
        (model_folder / "initial_state").mkdir(exist_ok=True)
        (model_folder / "initial_state" / name).write_bytes(values)
    if card.layers is not None:
        # Beside the version, as in the root of the repository a folder would be taken for a model.
        (model_folder / TEXTURES_FOLDER).mkdir()
        for texture, stored in zip(card.layers.textures, stored_textures(content, card.layers), strict=True):
            kind = texture_kind(texture, stored, content.path)
            (model_folder / TEXTURES_FOLDER / f"{texture.name}.{kind}").write_bytes(stored)
    (folder / "README.md").write_text(guide_text(card, service), encoding="utf-8")
