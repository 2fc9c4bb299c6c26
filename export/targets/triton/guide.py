"""The README of a model repository: how to start the server, and how a client sends sound and gets frames."""

from __future__ import annotations

from engine.model.card import ModelCard
from export.targets.triton.config import Service, model_name, served_inputs

_GUIDE = """# {name}, served

`{name}` plays at {fps:g} frames per second: every {hop_ms:g} ms a client sends the newest {window} samples of mono sound at {rate} Hz and gets
{gets}. The state of the model stays in the server. Each show has a sequence of its own.

## Start the server

```
docker run --rm -p 8000:8000 -p 8001:8001 -v REPOSITORY:/models IMAGE tritonserver --model-repository=/models
```

REPOSITORY is this folder, IMAGE NVIDIA's container image of Triton Inference Server; add `--gpus all` for a graphics card. The server
is ready when `curl localhost:8000/v2/models/{name}/ready` answers 200.

## A client

`pip install "tritonclient[grpc]" numpy`, then:

```python
import numpy as np
import tritonclient.grpc as triton

MODEL = "{name}"
SHAPES = {shapes}
CONTROLS = {controls}
NORMAL = {normal}  # noise with mean 0 and deviation 1; other noise is uniform in [0, 1)


def tensors(window, controls, random):
    \"\"\"The newest sound, controls by name and a numpy random generator -> the inputs of one request.\"\"\"
    made = []
    for name, shape in SHAPES.items():
        if name == "audio":
            values = window
        elif name in CONTROLS:
            values = np.full(shape, controls.get(name, CONTROLS[name]))
        else:
            values = random.standard_normal(shape) if name in NORMAL else random.random(shape)
        made.append(triton.InferInput(name, shape, "FP32"))
        made[-1].set_data_from_numpy(np.asarray(values, np.float32).reshape(shape))
    return made


def play(windows, sequence, controls=(), url="localhost:8001"):
    \"\"\"Yield {yielded} for each window [{window}]; `sequence` is any whole number but 0.\"\"\"
    client, random = triton.InferenceServerClient(url), np.random.default_rng(sequence)
    for k, window in enumerate(windows):
        inputs = tensors(window, dict(controls), random)
        answer = client.infer(MODEL, inputs, sequence_id=sequence, sequence_start=k == 0)
        yield {given}
```
{composing}
- The windows overlap: each ends {hop} samples after the one before. Before the first there is silence.
- `sequence_start` begins a show at the initial state; sent again during the show it is a reset. A client that sends nothing
  freezes the show: the state waits {idle_s:g} s, then the sequence ends and has to be started again.
- Up to {sequences} shows play at once. A further one waits until another ends: with `sequence_end=True` in its last request, or after
  {idle_s:g} s without a request.
- One instance steps all shows in turn. A larger `count` in `instance_group` of `{name}/config.pbtxt` steps that many at the same time.
{batch}"""

_BATCH = """- The file was exported with a batch of {batch}: every tensor has that axis in front, and one sequence is a group of {batch} shows that
  are always stepped together. For shows that start and end independently, serve a file without a batch.
"""


TEXTURES_FOLDER = "textures"
"""In the folder of the model."""

_COMPOSING = """
## Composing

The model is layered: a request gives small fields, float32 [channels, rows, columns], and the client composes the frame of them and of
the stills in `{name}/textures`:

    {formula}

Places go from -1 to 1 across the frame, flow is in these units, and everything is interpolated bilinearly between the centres of pixels.
`pip install opencv-python` (version 5 is the most exact):

```python
from glob import glob

import cv2
import numpy as np

WIDTH, HEIGHT = {width}, {height}
FILES = [glob(f"{name}/textures/{{name}}.*")[0] for name in {textures}]
TEXTURES = [cv2.imread(file)[..., ::-1].copy() for file in FILES]


def enlarged(field):
    \"\"\"A field [channels, rows, columns] -> [HEIGHT, WIDTH, channels].\"\"\"
    large = cv2.resize(np.ascontiguousarray(field.transpose(1, 2, 0)), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return large.reshape(HEIGHT, WIDTH, -1)


def compose(fields):
    \"\"\"The fields of one step by role -> the frame, uint8 [HEIGHT, WIDTH, 3] RGB. In a batch, take one slot of each field.\"\"\"
    flow = enlarged(fields["flow"]) if "flow" in fields else np.zeros((HEIGHT, WIDTH, 2), np.float32)
    weights = enlarged(fields["weights"]) if "weights" in fields else np.ones((HEIGHT, WIDTH, 1), np.float32)
    frame = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for k, texture in enumerate(TEXTURES):
        rows, columns = texture.shape[:2]
        own = flow[..., 2 * k : 2 * k + 2] if flow.shape[2] > 2 else flow
        right = (np.arange(WIDTH) + 0.5) * columns / WIDTH - 0.5 + own[..., 0] * columns / 2
        down = (np.arange(HEIGHT)[:, None] + 0.5) * rows / HEIGHT - 0.5 + own[..., 1] * rows / 2
        places = (right.astype(np.float32), down.astype(np.float32))
        frame += weights[..., k : k + 1] * cv2.remap(texture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if "light" in fields:
        frame *= enlarged(fields["light"])
    if "residual" in fields:
        frame += 255.0 * enlarged(fields["residual"])
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)
```
"""


def _composing(card: ModelCard) -> str:
    """Return the part about composing, or nothing for a model that gives frames."""
    if card.layers is None:
        return ""
    return _COMPOSING.format(
        name=model_name(card),
        formula=card.layers.formula,
        width=card.width,
        height=card.height,
        textures=[texture.name for texture in card.layers.textures],
    )


def guide_text(card: ModelCard, service: Service) -> str:
    """Return README.md of the repository."""
    names = {} if card.layers is None else card.layers.names
    fields = ", ".join(f'"{role}": answer.as_numpy("{output}")' for role, output in names.items())
    shapes = {info.name: list(info.shape) for info in card.output_tensors()}
    frame = f"a frame of {card.width} × {card.height}"
    return _GUIDE.format(
        name=model_name(card),
        fps=card.fps,
        hop=card.hop_samples,
        hop_ms=1000.0 * card.hop_s,
        window=card.window_samples,
        rate=card.sample_rate_hz,
        gets=f"the fields that make {frame}" if names else frame,
        yielded="the fields of a frame by role" if names else f"a frame, uint8 {shapes['frame']} RGB,",
        given=f"{{{fields}}}" if names else 'answer.as_numpy("frame")',
        composing=_composing(card),
        shapes={info.name: list(info.shape) for info in served_inputs(card)},
        controls={spec.name: spec.default for spec in (*card.controls, *card.fixed_controls)},
        normal=sorted(spec.name for spec in card.noises if spec.distribution == "normal"),
        idle_s=service.idle_s,
        sequences=service.sequences,
        batch=_BATCH.format(batch=card.batch) if card.batch > 1 else "",
    )
