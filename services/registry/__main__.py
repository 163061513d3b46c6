"""`python -m services.registry COMMAND`; `serve` is the service that takes the console's orders."""

import sys


def run(arguments: list[str]) -> int:
    # Each imports its own: the service's HTTP is a third of a second that a command has no use for.
    if arguments == ["serve"]:
        from services.registry.cli import serve

        return serve.main()
    if arguments[:1] == ["adjust"]:
        from services.registry.cli import adjust

        return adjust.main(arguments[1:])
    if arguments[:1] == ["score"]:
        from services.registry.cli import score

        return score.main(arguments[1:])
    from services.registry import app

    return app.main(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
