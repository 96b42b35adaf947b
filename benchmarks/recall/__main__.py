"""`python -m benchmarks.recall`."""

import sys

from benchmarks.recall.command import main
from training.command import run

if __name__ == "__main__":
    sys.exit(run(main))
