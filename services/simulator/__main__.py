"""`python -m services.simulator COMMAND`."""

import sys

from services.simulator.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
