"""The streaming model of Listen and Move: front end and generator, with its states, noises and control inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from engine.model.card import ControlSpec, NoiseSpec
from training.core.streaming import Noise, State, StreamingModel
from training.families.listen_and_move.generator import Controls, Generator
from training.families.model_config import ModelConfig

# T steps, F features, H W rows and columns of a frame

CONTROLS = (
    ControlSpec(name="motion", help="Amount of motion noise.", low=0.0, high=4.0, default=1.0),
    ControlSpec(name="grain", help="Amount of noise injected into the frame.", low=0.0, high=8.0, default=1.0),
    ControlSpec(
        name="memory", help="Weight of the earlier frames against the present sound.", low=-6.0, high=6.0, default=0.0
    ),
)


class ListenAndMove(StreamingModel):
    """Front end and generator."""

    def __init__(self, config: ModelConfig) -> None:
        """Raises TrainingError for a shape that cannot be."""
        super().__init__(
            name=config.name,
            family=config.family,
            fps=config.fps,
            image_size=config.image_size,
            front_end=config.front_end,
        )
        self.config = config
        self.generator = Generator(config.generator, config.front_end.feature_count, self.frame_size)

    @property
    def offline_reason(self) -> str:
        """Three-dimensional convolutions look at later frames."""
        if self.generator.config.convolution == "2d":
            return ""
        return (
            "it has convolution '3d', which looks at later frames; train it with model.generator.convolution '2d' to "
            "play it live"
        )

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all states, without the batch."""
        return self.generator.state_shapes()

    def noise_specs(self) -> tuple[NoiseSpec, ...]:
        """Describe the random inputs of one step, without the batch."""
        generator = self.generator.config
        specs = [NoiseSpec(name="grain_start", shape=(len(self.generator.grain_sizes),), distribution="uniform")]
        if generator.content_noise:
            specs.insert(0, NoiseSpec(name="content_noise", shape=(generator.content_noise,), distribution="uniform"))
        if generator.motion_noise:
            specs.insert(0, NoiseSpec(name="motion_noise", shape=(generator.motion_noise,), distribution="uniform"))
        return tuple(specs)

    def control_specs(self) -> tuple[ControlSpec, ...]:
        """Describe the control inputs that have an effect in this configuration."""
        absent = set()
        if not self.generator.config.motion_noise:
            absent.add("motion")
        if self.generator.config.prediction == "none":
            absent.add("memory")
        return tuple(control for control in CONTROLS if control.name not in absent)

    def start_from(self, frames_T3HW: Tensor) -> None:
        """Start the canvas, relief and warp, if the configuration has them, at the frames of the clip."""
        self.generator.start_from(frames_T3HW)

    def scale_rate(self, ratio: float) -> frozenset[str]:
        """Scale the resonators, which are linear."""
        resonators = self.generator.resonators
        if resonators is None:
            return frozenset()
        resonators.rate_ratio = ratio
        return frozenset(resonators.state_shapes())

    def compiled_parts(self) -> Iterable[nn.Module]:
        """Return the blocks, which take most of the time of an iteration."""
        return self.generator.blocks

    def clip_features(
        self, features_BTF: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Play T steps of features; return frames [B, T, 3, H, W] in [-1, 1], the features and the next state."""
        grain_maps = self.generator.grain_maps(noise["grain_start"])
        motion_noise = noise.get("motion_noise")
        if motion_noise is None:
            motion_noise = features_BTF.new_zeros(*features_BTF.shape[:2], 0)
        frames, following = self.generator(
            features_BTF, motion_noise, noise.get("content_noise"), grain_maps, self._controls(controls), state
        )
        return frames, features_BTF, following

    def _controls(self, given: Mapping[str, Tensor] | None) -> Controls:
        like = next(self.parameters())
        values = {control.name: like.new_tensor(control.default) for control in CONTROLS}
        return Controls(**(values | dict(given or {})))
