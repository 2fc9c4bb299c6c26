"""The README of a model repository: how to start the server, and how a client sends sound and gets frames."""

from __future__ import annotations

from engine.model.card import ModelCard
from export.targets.triton.config import Service, model_name, served_inputs

_GUIDE = """# {name}, served

`{name}` plays at {fps:g} frames per second: every {hop_ms:g} ms a client sends the newest {window} samples of mono sound at {rate} Hz and gets
a frame of {width} × {height}. The state of the model stays in the server. Each show has a sequence of its own.

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
    \"\"\"Yield a frame, uint8 {frame} RGB, for each window [{window}]; `sequence` is any whole number but 0.\"\"\"
    client, random = triton.InferenceServerClient(url), np.random.default_rng(sequence)
    for k, window in enumerate(windows):
        inputs = tensors(window, dict(controls), random)
        answer = client.infer(MODEL, inputs, sequence_id=sequence, sequence_start=k == 0)
        yield answer.as_numpy("frame")
```

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


def guide_text(card: ModelCard, service: Service) -> str:
    """Return README.md of the repository."""
    frame = next(info for info in card.output_tensors() if info.name == "frame")
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
        controls={spec.name: spec.default for spec in (*card.controls, *card.fixed_controls)},
        normal=sorted(spec.name for spec in card.noises if spec.distribution == "normal"),
        frame=list(frame.shape),
        idle_s=service.idle_s,
        sequences=service.sequences,
        batch=_BATCH.format(batch=card.batch) if card.batch > 1 else "",
    )
