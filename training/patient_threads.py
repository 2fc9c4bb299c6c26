"""Imported before torch: idle OpenMP threads sleep instead of spinning.

On a machine that does other work too, spinning threads wait for each other at every small operation: training was measured
twelve times slower with them. The variable is read once, when torch is loaded.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
