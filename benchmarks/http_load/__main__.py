"""`python -m benchmarks.http_load PLAN.json`: carry out one load and print what it saw as JSON."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.http_load import run

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ideamint-load-") as folder:
        load = run(json.loads(Path(sys.argv[1]).read_text()), Path(folder))
    sys.stdout.write(json.dumps(asdict(load)))
