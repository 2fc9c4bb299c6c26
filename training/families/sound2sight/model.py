"""The streaming model of Sound2Sight: sound window and earlier frames in, the next frame out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.model.card import ControlSpec, NoiseSpec, PictureSpec
from training.core.streaming import Noise, State, StreamingModel
from training.families.model_config import ModelConfig
from training.families.sound2sight.config import Sound2SightConfig
from training.families.sound2sight.generator import Generator, Memory, feature_count
from training.families.sound2sight.sound_coding import PATCHES, PatchFrontEnd, patch_config

# B batch, T steps, F features, Z latent numbers, C colours, H W rows and columns

NOISE, CONTEXT = "latent_noise", "context"
FRAME, HELD_NOISE, STARTED = "last_frame", "held_noise", "started"


class Sound2Sight(StreamingModel):
    """Front end and generator.

    The first step goes on from a context frame: the one that is given, or a frame of the clip where none is (black). `observe`
    gives it several.
    """

    home: Tensor

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
        shape: Sound2SightConfig = config.generator
        if shape.sound in PATCHES:
            self.front_end = PatchFrontEnd(patch_config(config.front_end, shape.sound))
        features = feature_count(shape, config.front_end.feature_count)
        self.generator = Generator(shape, features, self.frame_size)
        self.register_buffer("home", torch.zeros(shape.colours, *self.frame_size))

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all states, without the batch."""
        shape = self.generator.config
        skips = {f"skip_{level}": shape for level, shape in enumerate(self.generator.skip_shapes)}
        return {
            FRAME: (shape.colours, *self.frame_size),
            STARTED: (1,),
            HELD_NOISE: (shape.latent_size,),
            **skips,
            **self.generator.memory_shapes(),
        }

    def noise_specs(self) -> tuple[NoiseSpec, ...]:
        """Which of the possible futures is drawn."""
        return (NoiseSpec(name=NOISE, shape=(self.generator.config.latent_size,), distribution="normal"),)

    def control_specs(self) -> tuple[ControlSpec, ...]:
        """Describe the control inputs."""
        weight = 0.0 if self.generator.config.last_frame_skip else 1.0
        return (
            ControlSpec(
                name="temperature",
                help="How far the drawn future is from the likeliest.",
                low=0.0,
                high=3.0,
                default=1.0,
            ),
            ControlSpec(
                name="freeze_z", help="From a half on, the drawn future stays the same.", low=0.0, high=1.0, default=0.0
            ),
            ControlSpec(
                name="resample", help="From a half on, a frozen future is drawn again.", low=0.0, high=1.0, default=0.0
            ),
            ControlSpec(
                name="context_weight",
                help="How much of the details comes from the context and not from the frame before.",
                low=0.0,
                high=1.0,
                default=weight,
            ),
            ControlSpec(
                name="reseed",
                help="From a half on, the context takes the place of the last frame.",
                low=0.0,
                high=1.0,
                default=0.0,
            ),
        )

    def context_specs(self) -> tuple[PictureSpec, ...]:
        """The frame that the model goes on from."""
        height, width = self.frame_size
        about = "Where the show begins and what reseed brings back; black for a frame of the clip."
        return (PictureSpec(name=CONTEXT, height=height, width=width, help=about),)

    @property
    def amplifies_rounding(self) -> bool:
        """It draws on from its own frames, and one trained to draw a digit that turns or goes on is between the two by the last bit."""
        return True

    def start_from(self, frames_T3HW: Tensor) -> None:
        """Keep the first frame of the clip, for shows without a context."""
        self.home.copy_(self.coloured((frames_T3HW[:1] + 1.0) / 2.0)[0])

    def coloured(self, frames_N3HW: Tensor) -> Tensor:
        """Return RGB frames [N, 3, H, W] in the model's colours [N, C, H, W]."""
        return frames_N3HW if self.generator.config.colours == 3 else frames_N3HW.mean(dim=1, keepdim=True)

    def coloured_sequence(self, frames_BT3HW: Tensor) -> Tensor:
        """Return RGB frames in [-1, 1] as the generator has them: [B, T, C, H, W] in [0, 1]."""
        return self.coloured(((frames_BT3HW + 1.0) / 2.0).flatten(0, 1)).unflatten(0, frames_BT3HW.shape[:2])

    def clip_features(
        self, features_BTF: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Play T steps; `controls` may hold the context too, uint8 [B, H, W, 3]. See StreamingModel."""
        given = controls or {}
        seed = self._seed(given.get(CONTEXT), len(features_BTF))
        values = {spec.name: _column(given.get(spec.name, spec.default), features_BTF) for spec in self.control_specs()}
        sounds_BTD, frames = self.generator.encode_sound(features_BTF), list[Tensor]()
        for t in range(features_BTF.shape[1]):
            frame, state = self._step(sounds_BTD[:, t], noise[NOISE][:, t], state, values, seed)
            frames.append(frame)
        shown = torch.stack(frames, dim=1) * 2.0 - 1.0
        return shown.expand(-1, -1, 3, -1, -1), features_BTF, state

    @property
    def context_frames(self) -> int:
        """With how many real frames each sequence of training begins."""
        return self.generator.config.context_frames

    def state_after(self, frames_BP3HW: Tensor, audio_BPW: Tensor, noise: Noise) -> State:
        """Return the state after real frames; see StreamingModel."""
        features_BPF = self.front_end(audio_BPW.flatten(0, 1)).unflatten(0, audio_BPW.shape[:2])
        return self.observe(self.coloured_sequence(frames_BP3HW), features_BPF, noise[NOISE])

    def observe(self, frames_BPCHW: Tensor, features_BPF: Tensor, noise_BPZ: Tensor) -> State:
        """Return the state after P context frames in [0, 1], in the model's colours, with the features of their sound.

        The sound of the first frame does not count, as in the original: it is where the sequence begins.
        """
        state = self.initial_state(len(frames_BPCHW))
        memory, sounds_BPD = memory_of(state), self.generator.encode_sound(features_BPF)
        code, skips = self.generator.encoder(frames_BPCHW[:, 0])
        for i in range(1, frames_BPCHW.shape[1]):
            _, _, memory = self.generator.predict(code, sounds_BPD[:, i], noise_BPZ[:, i], memory)
            code, skips = self.generator.encoder(frames_BPCHW[:, i])
        kept = {f"skip_{level}": skip for level, skip in enumerate(skips)}
        started = torch.ones_like(state[STARTED])
        return {**state, FRAME: frames_BPCHW[:, -1], STARTED: started, **kept, **memory._asdict()}

    def _seed(self, context_BHWC: Tensor | None, batch: int) -> Tensor:
        """Return the frame to go on from at the start [B, C, H, W]."""
        if context_BHWC is None:
            return self.home.expand(batch, -1, -1, -1)
        levels = context_BHWC.to(self.home.dtype)
        is_given = levels.amax(dim=(1, 2, 3), keepdim=True) > 0.0
        return torch.where(is_given, self.coloured(levels.permute(0, 3, 1, 2) / 255.0), self.home)

    def _step(
        self, sound_BD: Tensor, noise_BZ: Tensor, state: State, controls: Mapping[str, Tensor], seed: Tensor
    ) -> tuple[Tensor, State]:
        """Take one step; controls are [B or 1, 1]. Return the frame [B, C, H, W] in [0, 1] and the next state."""
        is_new = ((state[STARTED] < 0.5) | (controls["reseed"] >= 0.5))[:, :, None, None]
        before = torch.where(is_new, seed, state[FRAME])
        code, skips_now = self.generator.encoder(before)
        kept = [torch.where(is_new, now, state[f"skip_{level}"]) for level, now in enumerate(skips_now)]
        is_held = (controls["freeze_z"] >= 0.5) & (controls["resample"] < 0.5)
        noise_BZ = torch.where(is_held, state[HELD_NOISE], noise_BZ)
        next_code, _, memory = self.generator.predict(
            code, sound_BD, controls["temperature"] * noise_BZ, memory_of(state)
        )
        weight = controls["context_weight"][:, :, None, None]
        skips = [now + weight * (context - now) for now, context in zip(skips_now, kept, strict=True)]
        frame = self.generator.decode(next_code, skips, before)
        following = {
            FRAME: frame,
            STARTED: (state[STARTED] + 1.0).clamp_max(1.0),
            HELD_NOISE: noise_BZ,
            **{f"skip_{level}": skip for level, skip in enumerate(kept)},
            **memory._asdict(),
        }
        return frame, following


def memory_of(state: State) -> Memory:
    """Return what the networks carry, out of a state."""
    return Memory(*(state[name] for name in Memory._fields))


def _column(value: Tensor | float, like: Tensor) -> Tensor:
    """Return the value of a control, a number or one for each row of the batch, as [B or 1, 1]."""
    return torch.as_tensor(value, dtype=like.dtype, device=like.device).reshape(-1, 1)
