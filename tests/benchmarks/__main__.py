"""Measures the project's figures and keeps them in notebooks/results.

python -m tests.benchmarks                       everything that `make bench` measures, more than an hour on 2 cores
python -m tests.benchmarks pipeline compute      some of them
python -m tests.benchmarks original_whole        all of the original's 5,000 iterations, most of an hour
python -m tests.benchmarks experiments           training runs in many styles, more than an hour, resumed after a stop
python -m tests.benchmarks robust                one question of the experiments
python -m tests.benchmarks shipped               the networks that come along: of the experiments default and robust
python -m tests.benchmarks frontier              accuracy against training time, hours, resumed after a stop
python -m tests.benchmarks labels                accuracy against labelled pictures, hours, resumed after a stop
python -m tests.benchmarks workers               what two workers gain, and what a killed one costs; 20 minutes

"original", "reading", "learning", "accuracy", "tries" and "shipped" use the default experiment; what is missing of
it is made first. Only "accuracy" and the styles' own scores in "experiments" count test captchas; everything else is
scored on validation captchas. Keep the machine quiet.
"""

from __future__ import annotations

import argparse
import os
import sys

from helpers.errors import TutorialError
from tests.benchmarks import (
    accuracy,
    compute,
    experiments,
    frontier,
    growth,
    labels,
    learning,
    original,
    pipeline,
    reading,
    tried,
    workers,
)

QUESTIONS = {
    "pipeline": pipeline.main,
    "compute": compute.main,
    "reading": reading.main,
    "original": original.main,
    "growth": growth.main,
    "learning": learning.main,
    "accuracy": accuracy.main,
    "tries": tried.main,
}


def main() -> int:
    """The command line."""
    parts = {
        **experiments.QUESTIONS,
        "plateau": learning.plateau,
        "amounts": learning.amounts,
        "frontier": frontier.main,
        "labels": labels.main,
        "shipped": tried.shipped,
        "workers": workers.main,
    }
    questions = {**QUESTIONS, "original_whole": original.whole, "experiments": experiments.main, **parts}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", choices=[[], *questions], help=f"by default {', '.join(QUESTIONS)}")
    os.environ["CAPTCHA_PROFILE"] = "full"
    for name in parser.parse_args().questions or QUESTIONS:
        try:
            questions[name]()
        except TutorialError as reason:
            print(f"{name}: {reason}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
