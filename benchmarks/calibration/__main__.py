"""`python -m benchmarks.calibration`."""

import sys

from benchmarks.calibration.command import main
from training.command import run

if __name__ == "__main__":
    sys.exit(run(main))
