"""`python -m examples.slam`."""

import sys

from examples.slam.command import main

if __name__ == "__main__":
    sys.exit(main())
