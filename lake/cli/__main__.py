"""`python -m lake.cli` is `lake`."""

import sys

from lake.cli import main

sys.exit(main())
