import io
import signal
import sys

from services.ingest.gb26875.cli import main

if __name__ == "__main__":
    # `| head` closes the pipe when it has enough: end like any other tool, without a traceback
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for stream in (sys.stdin, sys.stdout):
        if isinstance(stream, io.TextIOWrapper):
            # the same bytes whatever the locale; odd input must reach the error object, not a traceback
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.exit(main(sys.argv[1:], sys.stdin, sys.stdout))
