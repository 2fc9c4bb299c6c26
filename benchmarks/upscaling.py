"""Quality of the upscalers, and whether a small network trained with the clip is worth its time.

    python -m benchmarks.upscaling media/water.mp4 media/talking_head.mp4 [--weights media/weights] [--steps 4000]

Frames of each clip are made smaller by the mean of their pixels, enlarged again and compared with themselves: PSNR, SSIM, and a
learned distance where its weights are given. The network (three convolutions, sub-pixels as in Shi et al. 2016, added to bicubic)
is trained for ×2 on the first four fifths of the clip and applied twice for ×4; all figures are of the last fifth. The milliseconds are
one core's for a frame of the clip's size: OpenCV's for the fixed ways (benchmarks/present.py has the shader's), ONNX Runtime's
for the network.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.frame_quality import Quality
from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import MediaError, TrainingError, run_main
from engine.media.frame_reader import FrameReader
from engine.output.window.resampling_kernels import BICUBIC, BILINEAR, KERNELS, LANCZOS, NEAREST, resize

# N frames, H W rows and columns, C channels

HELD_OUT = 0.2
TRAINED_ON = 200
LONGEST_SIDE = 512
CROP, BATCH = 48, 16
LEARNED = "learned"
OPENCV = {
    NEAREST: cv2.INTER_NEAREST,
    BILINEAR: cv2.INTER_LINEAR,
    BICUBIC: cv2.INTER_CUBIC,
    LANCZOS: cv2.INTER_LANCZOS4,
}
Enlarge = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


class SubPixels(nn.Module):
    """About 5000 weights: frames [N, 3, H, W] in [0, 1] -> [N, 3, 2H, 2W]."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 5, padding=2, padding_mode="replicate"),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, padding_mode="replicate"),
            nn.ReLU(),
            nn.Conv2d(width, 12, 3, padding=1, padding_mode="replicate"),
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Conv2d)
        # It begins as bicubic.
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)

    def forward(self, small_N3HW: Tensor) -> Tensor:
        base = functional.interpolate(small_N3HW, scale_factor=2.0, mode="bicubic", align_corners=False)
        return base + functional.pixel_shuffle(self.layers(small_N3HW), 2)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the quality of upscalers.")
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--weights", nargs="*", type=Path, default=[], help="files or folders of metric weights")
    parser.add_argument(
        "--steps", type=int, default=4000, help="of training on a clip, minutes on one core (default 4000)"
    )
    parser.add_argument(
        "--evaluated",
        "--judged",
        dest="evaluated",
        type=int,
        default=20,
        help="frames a clip that are evaluated (default 20)",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    quality = Quality(arguments.weights)
    headings = ["clip", "factor", "way", "PSNR dB", *measures_of(quality), "ms"]
    rows: list[list[object]] = []
    for clip in arguments.clips:
        trained_NHWC, evaluated_NHWC = frames_of(clip, arguments.evaluated)
        learned = learned_way(train(trained_NHWC, arguments.steps))
        for factor in (2, 4):
            rows += rows_of(clip.stem, factor, evaluated_NHWC, learned, quality)
            print_table(headings, rows[-len(KERNELS) - 1 :])
    figures = {"steps": arguments.steps, "evaluated": arguments.evaluated, "headings": headings, "rows": rows}
    append_record("upscaling", figures)
    return 0


def measures_of(quality: Quality) -> list[str]:
    frame_NHWC = np.zeros((1, 64, 64, 3), np.uint8)
    return list(quality(frame_NHWC, frame_NHWC))


def frames_of(clip: Path, evaluated_on: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return frames to train on and, from later in the clip, frames to evaluate, [N, H, W, 3] with sides divisible by 4."""
    try:
        count = sum(1 for _ in FrameReader(clip).frames())
        first_held_out = int(count * (1 - HELD_OUT))
        wanted = {*np.linspace(0, first_held_out - 1, TRAINED_ON, dtype=int).tolist()}
        evaluated = {*np.linspace(first_held_out, count - 1, evaluated_on, dtype=int).tolist()}
        trained_N: list[NDArray[np.uint8]] = []
        evaluated_N: list[NDArray[np.uint8]] = []
        for index, frame in enumerate(FrameReader(clip).frames()):
            if index in wanted or index in evaluated:
                frame_HWC = fitting(frame.shown.pixels_HWC())
                (trained_N if index in wanted else evaluated_N).append(frame_HWC)
    except (MediaError, IndexError) as error:
        raise TrainingError(f"{clip} cannot be read as a video ({error}); give a clip.") from error
    return np.stack(trained_N), np.stack(evaluated_N)


def fitting(frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the frame no larger than LONGEST_SIDE, its sides divisible by 4."""
    shrink = max(1.0, max(frame_HWC.shape[:2]) / LONGEST_SIDE)
    height, width = (int(side / shrink) // 4 * 4 for side in frame_HWC.shape[:2])
    return frame_HWC[:height, :width] if shrink == 1.0 else resize(frame_HWC, LANCZOS, width, height)


def train(frames_NHWC: NDArray[np.uint8], steps: int) -> SubPixels:
    """Return a network that has seen so many batches of crops of the frames."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    network = SubPixels()
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, steps)
    for _ in range(steps):
        crops = []
        for _ in range(BATCH):
            frame_HWC = frames_NHWC[random.integers(len(frames_NHWC))]
            top, left = (random.integers((side - CROP) // 2 + 1) * 2 for side in frame_HWC.shape[:2])
            crops.append(frame_HWC[top : top + CROP, left : left + CROP])
        real_N3HW = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255.0
        fake_N3HW = network(functional.avg_pool2d(real_N3HW, 2))
        optimiser.zero_grad()
        functional.mse_loss(fake_N3HW, real_N3HW).backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def learned_way(network: SubPixels) -> Enlarge:
    """Return ×2 by ONNX Runtime on one core."""
    file = io.BytesIO()
    size = torch.export.Dim("height", min=8, max=8192), torch.export.Dim("width", min=8, max=8192)
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, 32, 40),),
        file,
        input_names=["small"],
        dynamo=True,
        dynamic_shapes={"small_N3HW": {2: size[0], 3: size[1]}},
        verbose=False,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.getvalue(), options, ["CPUExecutionProvider"])

    def enlarge(small_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        given = np.ascontiguousarray(small_HWC.transpose(2, 0, 1)[None], np.float32) / np.float32(255.0)
        large_3HW = np.asarray(session.run(None, {"small": given})[0])[0]
        return np.rint(np.clip(large_3HW, 0.0, 1.0) * 255.0).astype(np.uint8).transpose(1, 2, 0)

    return enlarge


def rows_of(
    clip: str, factor: int, real_NHWC: NDArray[np.uint8], learned: Enlarge, quality: Quality
) -> list[list[object]]:
    """Return a row of figures for each way."""
    height, width = real_NHWC.shape[1:3]
    small = [cv2.resize(x, (width // factor, height // factor), interpolation=cv2.INTER_AREA) for x in real_NHWC]

    def by_network(x: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return learned(x) if factor == 2 else learned(learned(x))

    rows: list[list[object]] = []
    for way in (*KERNELS, LEARNED):
        if way == LEARNED:
            made, cost_ms = [by_network(x) for x in small], milliseconds(by_network, small)
        else:
            made = [resize(x, way, width, height) for x in small]
            cost_ms = milliseconds(
                lambda x, w=way: cv2.resize(x, (width, height), interpolation=OPENCV[w]),
                small,
            )
        made_NHWC = np.stack(made)
        error = np.mean((made_NHWC.astype(np.float64) - real_NHWC) ** 2, axis=(1, 2, 3))
        psnr_db = float(np.mean(10 * np.log10(255**2 / np.maximum(error, 1e-9))))
        rows.append([clip, factor, way, psnr_db, *quality(made_NHWC, real_NHWC).values(), cost_ms])
    return rows


def milliseconds(enlarge: Callable[[NDArray[np.uint8]], object], small: Sequence[NDArray[np.uint8]]) -> float:
    """Return the median time of one frame."""
    clock, taken_s = WallClock(), list[float]()
    for frame_HWC in small:
        began_s = clock.now_s()
        enlarge(frame_HWC)
        taken_s.append(clock.now_s() - began_s)
    return 1e3 * float(np.median(taken_s))


if __name__ == "__main__":
    run_main(main)
