"""`python -m services.compliance figures ..`"""

import sys

from services.compliance.cli.figures import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], sys.stdin.buffer, sys.stdout.buffer))
