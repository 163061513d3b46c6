"""Become another program that dies with whoever started us. Run by path as `python -I -S launch.py OPTIONS -- PROGRAM`.

Plain standard library and no import of ours: it must start fast and under any user. A program of its own
instead of a `preexec_fn`, because the parent has threads, and after a fork in such a process little is safe.
"""

import ctypes
import os
import resource
import select
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
GRACE_LOOPS = 200  # of 50 ms


def raise_file_limit() -> None:
    """Brokers hold a descriptor per connection: take what the system allows without asking."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1 << 20 if hard == resource.RLIM_INFINITY else hard
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            return


def become_user(uid: int, gid: int, *, keep_search: bool) -> None:
    """Give root up. With `keep_search` keep the one capability that lets the user reach folders closed to it."""
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if keep_search and libc is not None:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if keep_search and libc is not None:
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        only = 1 << CAP_DAC_OVERRIDE
        data = (ctypes.c_uint32 * 6)(only, only, only, 0, 0, 0)
        if libc.capset(ctypes.byref(header), ctypes.byref(data)) == 0:
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def yield_to_others(steps: int) -> None:
    """Take less of a busy processor than others do.

    Linux weighs sessions first where it groups them (autogroup), and every part is a session of its own: there the
    niceness of the process alone would change nothing.
    """
    os.nice(steps)
    try:
        Path("/proc/self/autogroup").write_text(str(steps))
    except OSError:
        return


def die_with_parent_by_kernel(parent: int, last_signal: int) -> None:
    """Linux: the kernel sends `last_signal` when the thread that started us ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, last_signal, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)


def die_with_parent_by_watcher(pipe: int, last_signal: int) -> None:
    """Elsewhere: a forked watcher holds the end of a pipe that closes with the parent, and then ends our group."""
    target = os.getpid()
    if os.fork() != 0:
        os.close(pipe)
        return
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(pipe, 1):
        pass
    for attempt in range(10 * GRACE_LOOPS):
        if os.getppid() != target:  # the target has ended
            break
        if attempt % GRACE_LOOPS == 0:
            os.killpg(target, signal.SIGKILL if attempt else last_signal)
        select.select([], [], [], 0.05)
    os._exit(0)


def main(arguments: list[str]) -> None:
    split = arguments.index("--")
    options = dict(item.split("=", 1) for item in arguments[:split])
    program = arguments[split + 1 :]
    raise_file_limit()
    if "uid" in options:
        become_user(int(options["uid"]), int(options["gid"]), keep_search=options["keep_search"] == "1")
    if "nice" in options:
        yield_to_others(int(options["nice"]))
    last_signal = int(options["last_signal"])
    if options["tie"] == "kernel":
        die_with_parent_by_kernel(int(options["parent"]), last_signal)
    else:
        die_with_parent_by_watcher(int(options["pipe"]), last_signal)
    os.execv(program[0], program)  # noqa: S606 - it is what this program is for


if __name__ == "__main__":
    main(sys.argv[1:])
