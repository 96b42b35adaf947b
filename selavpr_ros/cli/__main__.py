"""`python -m selavpr_ros.cli`, the same as `selavpr`."""

import sys

from selavpr_ros.cli.main import main

sys.exit(main())
