"""`python -m services.registry COMMAND`."""

import sys

from services.registry.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
