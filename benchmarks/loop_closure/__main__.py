"""`python -m benchmarks.loop_closure`."""

import sys

from benchmarks.loop_closure.command import main
from training.command import run

if __name__ == "__main__":
    sys.exit(run(main))
