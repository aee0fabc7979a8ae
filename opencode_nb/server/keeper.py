"""The watchdog that owns one `opencode serve`, and ends it with everything it started when its last holder is gone.

Run by launch.py as `python -I -S keeper.py own|shared`, in its own session. Imports little, and only from the standard
library, as it occupies memory as long as the server runs. Knows nothing of the package.

    holders ──local sockets──> keeper <──fork── guard       keeper ──fork──> opencode serve ──> tools, in own sessions

- A holder (a kernel) holds the server by its connection, which the operating system closes however the holder dies.
- stdin is the connection of the first holder, which has sent one line, the job:
    {"argv": [...], "port": 0, "env": {...}, "cwd": "...", "username": "...", "password": "...", "log": "path",
     "mark": "...", "restarts": 0, "holder": {"pid": 1, "label": "a.ipynb"},
     "socket": "path" or null, "grace": seconds, "revive": whether to restart the server after a crash}
  The port is appended to the command; 0 means a free one. Restarts keep it.
- stdout is the listening socket for other holders; an own server has none. stderr is the log, which gets the server's
  output.
- Holders send {"op": "hold", "pid": 1, "label": "a.ipynb"} when they connect, and {"op": "restart"}. They receive the
  whole state (service.py: `_state`) whenever it changes. Its "phase" is starting, ready, down (restarting), ending
  (although held, for the given "reason") or ended (for good). A connection that ends without "ended" means that the
  keeper or its guard was killed.
- They also send {"op": "tools", "name": "...", "directory": "...", "registered": true or false} of their MCP servers:
  those that a holder leaves behind are disconnected, as the server would go on offering their tools.
- `grace` seconds after the last holder left, unless another one came: `POST /global/dispose` (only that ends running
  tools properly), SIGTERM, SIGTERM, SIGKILL, then kill what the tools left running. SIGTERM to the guard or the keeper
  does the same at once.
- Guard and keeper watch each other, so that a SIGKILL of either leaves nothing behind: the guard waits for the keeper
  and then ends what is left; the keeper holds a pipe (the lifeline) whose other end closes with the guard.
- With the argument "shared" they detach from the kernel: killing a kernel's whole process tree, as VS Code does, must
  not end what other kernels hold.
- Linux: both are subreapers, so orphaned tool processes become their children and are found; the server dies with the
  keeper (PDEATHSIG). macOS has neither: there, tools are the server's descendants at the time the end begins, and a
  process whose own parent ended before that is not found.
"""

import os
import signal
import sys


def guard(keeper: int) -> None:
    """Wait for the keeper; if it was killed, end what it leaves behind.

    Keeps the first holder's connection open, too, so that it closes only when everything has ended.
    """
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda *_: os.kill(keeper, signal.SIGTERM))  # its pid stays valid until it is waited for
    _, status = os.waitpid(keeper, 0)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    if status:
        from keeping.processes import end_descendants  # type: ignore[import-not-found]  # see main

        end_descendants({})


def main() -> None:
    """Become guard and keeper."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the handlers are installed
    if sys.argv[1] == "shared" and os.fork():
        return
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    from keeping.prctl import PR_SET_CHILD_SUBREAPER, prctl  # type: ignore[import-not-found]  # beside this file

    prctl(PR_SET_CHILD_SUBREAPER, 1)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid:
        os.close(read_end)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)  # connections to a dead keeper must fail, not wait
        guard(pid)
        return
    os.close(write_end)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    from keeping.service import Keeper  # type: ignore[import-not-found]

    Keeper(read_end).run()


if __name__ == "__main__":
    main()
