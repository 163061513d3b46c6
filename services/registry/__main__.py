"""`python -m services.registry COMMAND`."""

import sys


def run(arguments: list[str]) -> int:
    if arguments[:1] == ["adjust"]:
        from services.registry.cli import adjust

        return adjust.main(arguments[1:])
    from services.registry import app

    return app.main(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
