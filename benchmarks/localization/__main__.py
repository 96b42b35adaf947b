"""`python -m benchmarks.localization`."""

import sys

from benchmarks.localization.command import main
from training.command import run

if __name__ == "__main__":
    sys.exit(run(main))
