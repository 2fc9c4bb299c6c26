"""What a remote with a screen steers beside parameters: scenes, playlist, models, inputs and mappings of a running show.

Thin: each part does its own work. Any thread but the step's may call; what changes the show is done in the step thread, at the end of
a hop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engine.app.assembly import Controllers
from engine.app.config import DEFAULT_MODEL, LiveConfig
from engine.app.input_switch import InputSwitch
from engine.audio.window_buffer import window_samples
from engine.control.parameter_table import ShowValues, parameters_for
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.scenes.playlist import PlaylistEntry, PlaylistState
from engine.control.scenes.scene_library import SceneEntry
from engine.core.answered_calls import AnsweredCalls
from engine.core.choice import Choice
from engine.core.errors import ConfigError, UserError
from engine.model.backends.model_list import ModelList

MODEL_WITHIN_S = 20.0
"""So long a caller waits for a model to be loaded; what comes later is told as a line."""

DONE_WITHIN_S = 2.0


class ShowSteering:
    """The ShowControl of a live show (engine/web/show_control.py)."""

    def __init__(self, config: LiveConfig, controllers: Controllers, inputs: InputSwitch, access: RemoteAccess) -> None:
        """`access` says which parameters are locked: what needs one of them is refused too."""
        self._controllers = controllers
        self._inputs = inputs
        self._access = access
        card = controllers.switcher.card
        folders = [config.models] if config.models else [Path(DEFAULT_MODEL).parent, Path(config.model).parent]
        self._models = ModelList(folders, card, window_samples(card), parameters_for)
        self._model_files = AnsweredCalls(f"the disk of {' and '.join(map(str, folders))}")

    def scenes(self) -> Sequence[SceneEntry]:
        return self._controllers.library.entries()

    def rename_scene(self, number: int, name: str) -> None:
        self._check(ShowValues.save_scene.name)
        self._controllers.library.rename(number, name)

    def order_scenes(self, numbers: Sequence[int]) -> None:
        self._check(ShowValues.save_scene.name)
        self._controllers.library.order(numbers)

    def delete_scene(self, number: int) -> None:
        self._check(ShowValues.save_scene.name)
        entries = self._controllers.library.delete(number)
        self._replace_playlist(entries)

    def playlist(self) -> PlaylistState:
        return self._controllers.show_controller.playlist

    def set_playlist(self, entries: Sequence[PlaylistEntry]) -> None:
        self._check(ShowValues.save_scene.name)
        # Other entries change the scene that plays.
        self._check(ShowValues.playlist.name)
        self._controllers.library.set_playlist(entries)
        self._replace_playlist(entries)

    def models(self) -> Sequence[Choice]:
        switcher, library = self._controllers.switcher, self._controllers.library
        named = library.models()
        return self._model_files.run("list of models", lambda: self._models.choices(switcher.playing_path, named))

    def play_model(self, id: str) -> None:
        """Change to a listed model with a crossfade. Returns when it is loaded, at the latest after MODEL_WITHIN_S. Raises ConfigError."""
        self._check(ShowValues.scene.name)
        path = self._model_files.run("reading of the model", lambda: self._models.path(id))
        ended, given_up, refusals = threading.Event(), threading.Event(), list[UserError]()
        switcher = self._controllers.switcher

        def refuse(error: UserError) -> None:
            if given_up.is_set():
                switcher.tell_refused(error)
            refusals.append(error)
            ended.set()

        self._do(lambda: switcher.swap_to(str(path), when_taken=ended.set, when_refused=refuse))
        if not ended.wait(MODEL_WITHIN_S):
            given_up.set()
        if refusals:
            raise ConfigError(f"{refusals[0]} {switcher.playing.name} keeps playing.") from refusals[0]
        # A model that was taken plays from the next hop on.
        self._do(lambda: None)

    def inputs(self) -> Sequence[Choice]:
        return self._inputs.choices()

    def play_input(self, id: str) -> None:
        self._inputs.play(id)

    def mappings(self) -> Mapping[str, str]:
        return self._controllers.modulators.mappings

    def check_mapping(self, parameter: str, expression: str) -> None:
        """Raise ConfigError with what is wrong with an expression; an empty one is right."""
        if expression.strip():
            self._controllers.modulators.check_mapping(parameter, expression)

    def set_mapping(self, parameter: str, expression: str) -> None:
        """Drive a parameter by an expression from the next hop on; an empty one leaves it alone. Raises ConfigError."""
        name = self._check(parameter)
        self.check_mapping(name, expression)
        self._do(lambda: self._controllers.show_controller.drive(name, expression.strip()))

    def _check(self, name: str) -> str:
        """Return the name of now of a parameter. Raises ConfigError where it is locked against remotes."""
        parameter = self._access.find(name)
        name = parameter.name if parameter else name
        self._access.check(name, "A page")
        return name

    def _replace_playlist(self, entries: Sequence[PlaylistEntry]) -> None:
        self._do(lambda: self._controllers.show_controller.replace_playlist(entries))

    def _do(self, call: Callable[[], None]) -> None:
        """Have something done in the step thread and wait for the end of the hop, but not for a show that waits for sound itself.

        Raises ConfigError.
        """
        done, refusals = threading.Event(), list[UserError]()

        def do() -> None:
            try:
                call()
            except UserError as error:
                refusals.append(error)
            finally:
                done.set()

        self._controllers.show_controller.ask(do)
        done.wait(DONE_WITHIN_S)
        if refusals:
            raise ConfigError(str(refusals[0])) from refusals[0]
