"""Train a model on a clip: from video files to checkpoints."""

import os

# Idle OpenMP threads of torch, which reads this when it is loaded, sleep instead of spinning. Beside other work, spinning
# threads wait for each other at every small operation: training was measured twelve times slower with them.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
