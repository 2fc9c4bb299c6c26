"""The README of a model repository: how to start the server, and how a client sends sound and gets pictures."""

from __future__ import annotations

from engine.model.card import ModelCard
from export.targets.triton.config import Service, model_name, served_inputs

_GUIDE = """# {name}, served

`{name}` plays at {fps:g} pictures a second: every {hop_ms:g} ms a client sends the newest {window} samples of mono sound at {rate} Hz and gets
a picture of {width} × {height}. What the model remembers stays in the server, in a sequence of its own for each room.

## Start the server

```
docker run --rm -p 8000:8000 -p 8001:8001 -v REPOSITORY:/models IMAGE tritonserver --model-repository=/models
```

REPOSITORY is this folder, IMAGE NVIDIA's container image of Triton Inference Server; add `--gpus all` where there is a card. The server
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


def play(windows, room, controls=(), url="localhost:8001"):
    \"\"\"Yield a picture, uint8 {picture} RGB, for each window [{window}]; `room` is any whole number but 0.\"\"\"
    client, random = triton.InferenceServerClient(url), np.random.default_rng(room)
    for k, window in enumerate(windows):
        inputs = tensors(window, dict(controls), random)
        answer = client.infer(MODEL, inputs, sequence_id=room, sequence_start=k == 0)
        yield answer.as_numpy("frame")
```

- The windows overlap: each ends {hop} samples after the one before. Before the first lies silence.
- `sequence_start` begins a room at its initial state; sent again in mid-show it is a reset. Who sends nothing freezes:
  the state waits {idle_s:g} s, then the room has left and has to start again.
- Up to {sequences} rooms play at once; one more waits until another ends: with `sequence_end=True` in its last request, or after
  {idle_s:g} s without one.
- All rooms are stepped in turn by one instance. More `count` in `instance_group` of `{name}/config.pbtxt` steps as many at the same time.
{several}"""

_SEVERAL = """- The file was exported for {rooms} rooms: every tensor has them in front, and one sequence is a group of {rooms} that
  are always stepped together. For rooms that come and go by themselves serve a file of one room.
"""


def guide_text(card: ModelCard, service: Service) -> str:
    """Return README.md of the repository."""
    picture = next(info for info in card.outputs() if info.name == "frame")
    return _GUIDE.format(
        name=model_name(card),
        fps=card.fps,
        hop=card.hop_samples,
        hop_ms=1000.0 * card.hop_s,
        window=card.window_samples,
        rate=card.sample_rate_hz,
        width=card.width,
        height=card.height,
        shapes={info.name: list(info.shape) for info in served_inputs(card)},
        controls={spec.name: spec.default for spec in card.controls},
        normal=sorted(spec.name for spec in card.noises if spec.distribution == "normal"),
        picture=list(picture.shape),
        idle_s=service.idle_s,
        sequences=service.sequences,
        several=_SEVERAL.format(rooms=card.rooms) if card.rooms > 1 else "",
    )
