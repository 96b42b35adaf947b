"""`python -m examples.places`."""

import sys

from examples.places.command import main
from training.command import run

if __name__ == "__main__":
    sys.exit(run(main))
