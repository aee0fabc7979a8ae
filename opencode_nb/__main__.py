"""`python -m opencode_nb` is the command `opencode-nb`."""

import sys

from opencode_nb.cli import main

if __name__ == "__main__":
    sys.exit(main())
