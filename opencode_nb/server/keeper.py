"""The watchdog that owns one `opencode serve` and ends it, and everything it started, when nobody holds it any more.

Run as `python -I -S keeper.py own|shared` in a session of its own, by launch.py. Standard library only, and little of
that: it takes memory for as long as a server lives. Knows nothing of the package.

    holders ──local sockets──> keeper <──fork── guard       keeper ──fork──> opencode serve ──> tools, in own sessions

- A holder (a kernel) holds by its connection, which the operating system closes however the holder dies.
- stdin is the connection of the first holder, who has sent one line, the job:
    {"argv": [...], "port": 0, "env": {...}, "cwd": "...", "username": "...", "password": "...", "log": "path",
     "mark": "...", "restarts": 0, "holder": {"pid": 1, "label": "a.ipynb"},
     "socket": "path" or null, "grace": seconds, "revive": whether a server that crashed is started again}
  The port comes last in the command; for 0 a free one is chosen. Restarts keep it.
- stdout is the listening socket where other holders come in; one's own server has none. stderr is the log: the server's
  output is drained into it.
- Holders say {"op": "hold", "pid": 1, "label": "a.ipynb"} when they come, and {"op": "restart"}. They are told the
  whole state (service.py: `_state`) whenever it changes, by its "phase": starting, ready, down (it is started again),
  ending (although it is held, for the "reason" told), ended (for good). A connection that ends without "ended" says
  that the keeper or its guard was killed.
- When the last holder has gone, and `grace` seconds later nobody has come: `POST /global/dispose` (only that ends
  running tools properly), SIGTERM, SIGTERM, SIGKILL, then what the tools left running. SIGTERM to the guard or the
  keeper does the same at once.
- Guard and keeper watch each other, so that a SIGKILL of either leaves nothing behind: the guard waits for the keeper
  and then ends what is left; the keeper holds a pipe (the lifeline) whose other end closes with the guard.
- With the argument "shared" they are nobody's children: whoever ends a kernel's whole process tree, as VS Code does,
  must not end what other kernels hold.
- Linux: both are subreapers, so orphaned tool processes come to them and are found; the server dies with the keeper
  (PDEATHSIG). macOS has neither: there the tools are those that were the server's descendants when the end began, and a
  process whose own parent had ended before that is not found.
"""

import os
import signal
import sys


def guard(keeper: int) -> None:
    """Wait for the keeper; when it did not end by itself, end what it leaves.

    The first holder's connection is open here too: its end says that everything has ended.
    """
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda *_: os.kill(keeper, signal.SIGTERM))  # until it is waited for, it is there
    _, status = os.waitpid(keeper, 0)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    if status:
        from keeping.processes import end_descendants  # type: ignore[import-not-found]  # see main

        end_descendants({})


def main() -> None:
    """Become guard and keeper."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the handlers are there
    if sys.argv[1] == "shared" and os.fork():
        return
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    from keeping.prctl import PR_SET_CHILD_SUBREAPER, prctl  # type: ignore[import-not-found]  # beside this file

    prctl(PR_SET_CHILD_SUBREAPER, 1)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid:
        os.close(read_end)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)  # whoever comes when the keeper is dead must not wait
        guard(pid)
        return
    os.close(write_end)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    from keeping.service import Keeper  # type: ignore[import-not-found]

    Keeper(read_end).run()


if __name__ == "__main__":
    main()
