import sys

from services.ingest.command.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
