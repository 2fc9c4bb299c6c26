"""Stands in for the process of a first test and ends as the environment says: by a signal, too late, or with a verdict."""

import json
import os
import signal
import sys
import time

from engine.model.backends.first_test import MARK

how = os.environ["FLUID_TEST_END"]
if how == "signal":
    os.kill(os.getpid(), signal.SIGSEGV)
elif how == "late":
    with open(os.environ["FLUID_TEST_ID"], "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)
elif how == "leaves a child":
    # With the output of this process open.
    if os.fork() == 0:
        time.sleep(60)
    sys.exit(3)
else:
    print("a library says something")
    print(MARK + json.dumps({"kind": how, "reason": "onnx-cpu: the step failed (because)."}))
sys.exit(0)
