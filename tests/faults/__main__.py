"""python -m tests.faults [damages | kills | disks | pictures] [COUNT] [SEED]

Without a name all four, which takes more than an hour. COUNT is for damages and for the kills of each step. What is
measured, and what came of it, stands in tests/README.md. Full disks need the right to mount one, so root on Linux.
"""

import importlib
import sys
import tempfile
from pathlib import Path

KINDS = {"damages": "1008", "kills": "20", "disks": "0", "pictures": "0"}

if __name__ == "__main__":
    asked = [sys.argv.pop(1)] if sys.argv[1:2] and sys.argv[1] in KINDS else list(KINDS)
    for kind in asked:
        count, seed = (int(given) for given in [*sys.argv[1:3], *(KINDS[kind], "0")[len(sys.argv[1:3]) :]])
        with tempfile.TemporaryDirectory() as place:
            print(f"\n## {kind}\n\n{importlib.import_module(f'tests.faults.{kind}').report(count, seed, Path(place))}")
