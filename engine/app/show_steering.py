"""What a remote with a screen steers beside parameters: scenes, playlist, models, inputs and mappings of a running show.

Thin: each part does its own work. Any thread but the step's may call; what changes the show is done in the step thread, at the end of
a hop.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.app.assembly import Controllers
from engine.app.config import DEFAULT_MODEL, LiveConfig
from engine.audio.window_buffer import window_samples
from engine.control.parameter_table import parameters_for
from engine.control.scenes.playlist import PlaylistEntry, PlaylistState
from engine.control.scenes.scene_library import SceneEntry
from engine.core.answered_calls import AnsweredCalls
from engine.core.choice import Choice
from engine.core.errors import ConfigError, UserError
from engine.model.backends.model_list import ModelList

MODEL_WITHIN_S = 20.0
"""So long a caller waits for a model to be loaded; what comes later is told as a line."""


class ShowSteering:
    """The ShowControl of a live show (engine/web/show_control.py)."""

    def __init__(self, config: LiveConfig, controllers: Controllers) -> None:
        self._controllers = controllers
        card = controllers.switcher.card
        folders = [config.models] if config.models else [Path(DEFAULT_MODEL).parent, Path(config.model).parent]
        self._models = ModelList(folders, card, window_samples(card), parameters_for)
        self._model_files = AnsweredCalls(f"the disk of {' and '.join(map(str, folders))}")

    def scenes(self) -> Sequence[SceneEntry]:
        return self._controllers.library.entries()

    def rename_scene(self, number: int, name: str) -> None:
        self._controllers.library.rename(number, name)

    def order_scenes(self, numbers: Sequence[int]) -> None:
        self._controllers.library.order(numbers)

    def delete_scene(self, number: int) -> None:
        entries = self._controllers.library.delete(number)
        self._replace_playlist(entries)

    def playlist(self) -> PlaylistState:
        return self._controllers.show_controller.playlist

    def set_playlist(self, entries: Sequence[PlaylistEntry]) -> None:
        self._controllers.library.set_playlist(entries)
        self._replace_playlist(entries)

    def models(self) -> Sequence[Choice]:
        switcher, library = self._controllers.switcher, self._controllers.library
        named = library.models()
        return self._model_files.run("list of models", lambda: self._models.choices(switcher.playing_path, named))

    def play_model(self, id: str) -> None:
        """Change to a listed model with a crossfade. Returns when it is loaded, at the latest after MODEL_WITHIN_S. Raises ConfigError."""
        path = self._model_files.run("reading of the model", lambda: self._models.path(id))
        ended, refusals = threading.Event(), list[UserError]()

        def refuse(error: UserError) -> None:
            refusals.append(error)
            ended.set()

        switcher = self._controllers.switcher
        self._controllers.show_controller.ask(
            lambda: switcher.swap_to(str(path), when_taken=ended.set, when_refused=refuse)
        )
        ended.wait(MODEL_WITHIN_S)
        if refusals:
            raise ConfigError(f"{refusals[0]} {switcher.playing.name} keeps playing.") from refusals[0]

    def inputs(self) -> Sequence[Choice]:
        return ()

    def play_input(self, id: str) -> None:
        raise ConfigError("There is no such input in the list; list the inputs again and choose one of them.")

    def mappings(self) -> Mapping[str, str]:
        return self._controllers.modulators.mappings

    def check_mapping(self, parameter: str, expression: str) -> None:
        """Raise ConfigError with what is wrong with an expression; an empty one is right."""
        if expression.strip():
            self._controllers.modulators.check_mapping(parameter, expression)

    def set_mapping(self, parameter: str, expression: str) -> None:
        """Drive a parameter by an expression from the next hop on; an empty one leaves it alone. Raises ConfigError."""
        self.check_mapping(parameter, expression)
        controller = self._controllers.show_controller
        controller.ask(lambda: controller.drive(parameter, expression.strip()))

    def _replace_playlist(self, entries: Sequence[PlaylistEntry]) -> None:
        controller = self._controllers.show_controller
        controller.ask(lambda: controller.replace_playlist(entries))
