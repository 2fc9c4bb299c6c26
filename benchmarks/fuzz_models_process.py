"""The process in which fuzz_models.py opens and steps model files: a line of JSON for each file in, a verdict out."""

from __future__ import annotations

import json
import os
import sys
import traceback

from engine.model.backends.first_test import MARK
from engine.model.backends.first_test_process import judge, limit_resources

LIMIT_S = 86_400.0


def main() -> int:
    verdicts = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    limit_resources(LIMIT_S, limits_memory=True)
    for line in sys.stdin:
        try:
            verdict = judge(json.loads(line))
        # A fault of ours, whatever it is; this is what is looked for.
        except Exception:  # noqa: BLE001
            verdict = ("traceback", traceback.format_exc())
        print(MARK + json.dumps(verdict), file=verdicts, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
