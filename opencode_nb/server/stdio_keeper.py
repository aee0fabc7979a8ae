"""The watchdog of one program that is spoken to through its pipes: ends it, with all it started, when its holder ends.

Run as `python -I -S stdio_keeper.py LIFELINE COMMAND...`, in its own session. Imports little, and only from the
standard library, as it occupies memory as long as the program runs. Knows nothing of the package.

- stdin, stdout and stderr are the program's, this process closes its own.
- LIFELINE is the descriptor of a pipe whose other end the holder has: the operating system closes it however the
  holder ends. Then, or with SIGTERM to this process: wait for the program, which sees the end of its input, then
  SIGTERM, then SIGKILL, then kill what it left running.
- It ends when the program does, with its exit code, or minus the number of the signal, modulo 256.
- Linux: it is a subreaper, so orphaned processes become its children and are found; the program dies with it
  (PDEATHSIG). macOS has neither: see keeper.py.
"""

import os
import select
import signal
import sys

INPUT_SECONDS = 2.0  # for the program to end by itself, its input closed
TERM_SECONDS = 1.0


def spawned(argv: list[str], lifeline: int) -> int:
    """Start the program; return its pid."""
    from keeping.prctl import PR_SET_PDEATHSIG, prctl  # type: ignore[import-not-found]  # beside this file

    keeper, pid = os.getpid(), os.fork()
    if pid:
        return pid
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:  # the keeper died before the line above
            os._exit(1)
        os.close(lifeline)
        for name in ("SIGPIPE", "SIGXFSZ", "SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD"):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        os.execvp(argv[0], argv)  # noqa: S606
    except OSError as error:
        os.write(2, f"{argv[0]} could not be run: {error}\n".encode())
    finally:
        os._exit(127)


def main() -> None:
    """Run the program, until it ends or the lifeline does."""
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    from keeping.prctl import PR_SET_CHILD_SUBREAPER, prctl
    from keeping.processes import end_descendants, reap, send  # type: ignore[import-not-found]

    lifeline, argv = int(sys.argv[1]), sys.argv[2:]
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    ending: list[int] = []
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda signum, _frame: ending.append(signum))
    pid = spawned(argv, lifeline)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(null, standard)

    code, watched, left = None, [lifeline, woken], [INPUT_SECONDS, TERM_SECONDS]
    while code is None:
        ready, _, _ = select.select(watched, [], [], left[0] if ending and left else None)
        if woken in ready:
            os.read(woken, 1024)
        if lifeline in ready:
            watched.remove(lifeline)
            ending.append(0)
        elif ending and not ready:  # its time is over
            left.pop(0)
            send(pid, signal.SIGTERM if left else signal.SIGKILL)
        code = reap()[0].get(pid)
    end_descendants({})
    os._exit(code % 256)


if __name__ == "__main__":
    main()
