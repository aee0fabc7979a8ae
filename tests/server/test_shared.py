"""The shared server: one for all processes of a user, however they join and leave, and whatever is killed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import product
from pathlib import Path

import psutil
import pytest

from opencode_nb.server import serve
from tests.server.support import CASE, END_SECONDS, assert_gone, keepers, request, run_tool
from tests.server.support_holders import HolderProcess, quick_program

HOLDERS = 10
Hold = Callable[..., HolderProcess]


@pytest.fixture(autouse=True)
def runtime(not_quick: None, tmp_path: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime directory and an environment for this test, so that its servers are its own."""
    monkeypatch.setenv(CASE, str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    return short_path / "opencode-nb"


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    return quick_program(tmp_path)


@pytest.fixture
def hold(quick: Path) -> Iterator[Hold]:
    """`hold()`: a process that holds a server of the quick program."""
    with ExitStack() as stack:

        def hold(**env: str) -> HolderProcess:
            return stack.enter_context(HolderProcess(quick, env))

        yield hold


def test_ten_processes_share_one_server_until_the_last_leaves(
    opencode_program: Path, tmp_path: Path, runtime: Path
) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(HolderProcess(opencode_program)) for _ in range(HOLDERS)]
        for process in processes:
            process.tell("hold()")
        told = [process.answer() for process in processes]
        assert len({(one["url"], one["password"], one["pid"]) for one in told}) == 1
        last = processes.pop()
        assert last.ask(f"wait_until(lambda: len(holders()) == {HOLDERS})")
        assert {pid for pid, _, _ in last.ask("holders()")} == {last.pid, *(process.pid for process in processes)}
        with serve(shared=True, binary=opencode_program) as server:
            assert server.url == told[0]["url"]
            everything = [*keepers(server.pid), psutil.Process(server.pid), *run_tool(server, tmp_path)]
        for process in processes:
            process.kill()
        assert last.ask("wait_until(lambda: len(holders()) == 1)")
        assert last.ask("[server.alive, events]") == [True, []]
        assert all(process.is_running() for process in everything)
        last.kill()
        assert_gone(everything)
    assert list(runtime.iterdir()) == []


def test_holders_that_leave_together_are_no_longer_counted(hold: Hold) -> None:
    last, *others = [hold() for _ in range(4)]
    told = [process.ask("hold()") for process in (last, *others)]
    assert last.ask("wait_until(lambda: len(holders()) == 4)")
    _, keeper = keepers(told[0]["pid"])
    keeper.suspend()  # so that it finds the second and third gone when it reports the first
    for process in others:
        process.kill()
    keeper.resume()
    assert last.ask("wait_until(lambda: len(holders()) == 1)")
    assert last.ask("[server.alive, events]") == [True, []]


def test_a_process_that_holds_it_twice_is_one_holder(hold: Hold) -> None:
    process = hold()
    assert process.ask("hold()") == process.ask("hold()")
    assert process.ask("holders()") == [[process.pid, "-c", True]]


@pytest.mark.parametrize("victim", ["keeper", "guard", "both", "server"])
def test_whatever_is_killed_is_restarted_for_its_holders(hold: Hold, victim: str) -> None:
    first, second = hold(), hold()
    told = first.ask("hold()")
    assert second.ask("hold()") == told
    guard, keeper = keepers(told["pid"])
    server = psutil.Process(told["pid"])
    victims = {"keeper": [keeper], "guard": [guard], "both": [guard, keeper], "server": [server]}[victim]
    for process in victims:
        process.suspend()  # so that none sees the other's end
    for process in victims:
        process.kill()
    after = []
    for holder in (first, second):
        assert holder.ask("wait_until(lambda: events == ['down', 'back'])")
        assert holder.ask("server.wait_ready()") is None
        after.append(holder.ask("[server.url, server.password, server.pid, server.status().restarts]"))
    assert after[0] == after[1]
    assert after[0][:2] == [told["url"], told["password"]]
    assert after[0][2] != told["pid"]
    assert after[0][3] == 1
    assert first.ask("wait_until(lambda: len(holders()) == 2)")
    assert_gone([*victims, server])
    assert [first.ask("events"), second.ask("events")] == [["down", "back"]] * 2


def test_tools_of_a_killed_server_are_ended(opencode_program: Path, tmp_path: Path) -> None:
    with serve(shared=True, binary=opencode_program) as server:
        _, session = request(server, "POST", "/session", {"title": "kept"})
        tools = run_tool(server, tmp_path)
        process = psutil.Process(server.pid)
        process.kill()
        assert_gone([process, *tools])
        server.wait_ready(END_SECONDS)
        assert request(server, "GET", f"/session/{session['id']}")[1]["title"] == "kept"


def test_a_restart_reaches_all_holders(hold: Hold) -> None:
    first, second = hold(), hold()
    told = first.ask("hold()")
    second.ask("hold()")
    assert first.ask("server.restart()") is None
    assert second.ask("wait_until(lambda: events == ['down', 'back'])")
    after = second.ask("[server.url, server.password, server.pid]")
    assert after[:2] == [told["url"], told["password"]]
    assert after[2] != told["pid"]
    assert first.ask("server.pid") == after[2]


def test_a_server_that_keeps_crashing_is_given_up(hold: Hold, tmp_path: Path) -> None:
    holder = hold()
    told = holder.ask("hold()")
    (tmp_path / "crash").touch()
    psutil.Process(told["pid"]).kill()
    assert holder.ask("wait_until(lambda: server._held.exited)") is False  # for good
    assert holder.ask("events") == ["down", "exit 4"]
    said = holder.ask("server.wait_ready()")
    assert said.startswith(f"ServerExitedError: The OpenCode server at {told['url']} is not running. Start a new one.")
    assert holder.ask("server.alive") is False
    (tmp_path / "crash").unlink()
    assert holder.ask("hold()")["pid"] != told["pid"]


def test_a_process_that_joins_an_ending_server_gets_a_server(
    quick: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCODE_NB_GRACE", "0")
    servers: set[int] = set()
    answers: list[int] = []

    def come_and_go(times: int, *, late: bool) -> None:
        for _ in range(times):
            with serve(shared=True, binary=quick) as server:
                servers.add(server.pid)
                answers.append(request(server, "GET", "/global/health")[0])
            while late and any(runtime.iterdir()):
                pass  # then at the very moment when the socket closes

    come_and_go(8, late=False)
    come_and_go(8, late=True)
    threads = [threading.Thread(target=come_and_go, args=(8,), kwargs={"late": late}) for late in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 32
    assert len(servers) > 8


def test_within_the_grace_period_the_server_is_reused(hold: Hold) -> None:
    first, second = hold(), hold()
    told = first.ask("hold()")
    first.kill()
    assert second.ask("hold()") == told


def test_status_lists_the_remaining_holders(hold: Hold) -> None:
    first, second = hold(JPY_SESSION_NAME="/home/me/first.ipynb"), hold(JPY_SESSION_NAME="dir/second.ipynb")
    first.ask("hold()")
    second.ask("hold()")
    assert first.ask("wait_until(lambda: len(holders()) == 2)")
    assert first.ask("holders()") == [[first.pid, "first.ipynb", True], [second.pid, "second.ipynb", False]]
    assert first.ask("server.close()") is None
    assert first.ask("[server.alive, server.shared, events]") == [False, True, []]
    assert second.ask("wait_until(lambda: len(holders()) == 1)")
    assert second.ask("holders()") == [[second.pid, "second.ipynb", True]]


def test_differences_that_matter_give_another_server(hold: Hold) -> None:
    same = hold(JPY_SESSION_NAME="other.ipynb", TERM="dumb", PWD="/")
    urls = [
        hold().ask("hold()")["url"],
        same.ask("hold()")["url"],
        hold(OPENAI_API_KEY="other").ask("hold()")["url"],
        hold().ask("hold(config={'share': 'disabled'})")["url"],
        hold().ask("hold(env={'A': 'b'})")["url"],
    ]
    assert urls[0] == urls[1]
    assert len(set(urls)) == 4


def test_the_server_inherits_nothing_from_the_process_that_started_it(hold: Hold) -> None:
    holder = hold(JPY_SESSION_NAME="/home/me/first.ipynb", KEPT="yes")
    environ = psutil.Process(holder.ask("hold()")["pid"]).environ()
    assert environ["KEPT"] == "yes"
    assert "JPY_SESSION_NAME" not in environ


def test_a_forked_child_of_a_holder_does_not_hold(hold: Hold) -> None:
    holder = hold()
    told = holder.ask("hold()")
    child = psutil.Process(holder.ask("fork()"))
    holder.kill()
    assert_gone([psutil.Process(told["pid"])])
    assert child.is_running()
    child.kill()


# --- who must not get in ----------------------------------------------------------------------------------------------


def test_socket_and_directory_are_private_to_the_user(hold: Hold, runtime: Path) -> None:
    hold().ask("hold()")
    [path] = runtime.iterdir()
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700


STRANGER = """
import os, socket, sys
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with socket.socket(socket.AF_UNIX) as connection:
    try:
        connection.connect(sys.argv[1])
        connection.sendall(b'{"op": "hold", "pid": 1, "label": "stranger"}\\n')
        print("told", connection.recv(100))
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("opened", [False, True])
def test_another_user_is_rejected(hold: Hold, runtime: Path, opened: bool) -> None:
    """Rejected by the mode of directory and socket; if those are opened up, by the keeper."""
    holder = hold()
    holder.ask("hold()")
    [path] = runtime.iterdir()
    if opened:
        for above in [path, runtime, *runtime.parents]:
            if above.stat().st_mode & 0o005 != 0o005:
                above.chmod(0o777)
    stranger = subprocess.run([sys.executable, "-IS", "-c", STRANGER, path], capture_output=True, text=True, cwd="/")
    sent_away = {"told b''", "ConnectionResetError", "BrokenPipeError"} if opened else {"PermissionError"}
    assert stranger.stdout.strip() in sent_away
    assert len(holder.ask("holders()")) == 1


def test_a_page_from_another_port_is_refused(hold_real: HolderProcess) -> None:
    """Its origin passes the server's CORS check, so only the password protects the server."""
    url = hold_real.ask("server.url")
    for origin, path in product(("http://localhost:8888", "http://127.0.0.1:8888"), ("/session", "/event", "/doc")):
        page = urllib.request.Request(url + path, headers={"Origin": origin, "Content-Type": "text/plain"})
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(page, timeout=END_SECONDS)
        refused.value.close()


@pytest.fixture
def hold_real(opencode_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HolderProcess]:
    """A process that holds a server of the real program, with all its files below `tmp_path`."""
    for kind in ("DATA", "CONFIG", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OPENCODE_SERVER_PASSWORD", "inherited")
    with HolderProcess(opencode_program) as holder:
        holder.ask("hold()")
        yield holder


def test_the_password_is_nowhere_else(hold_real: HolderProcess, tmp_path: Path) -> None:
    """It is only in the environment of the server and its tools: in no other process, and in no file."""
    password, pid = hold_real.ask("[server.password, server.pid]")
    assert password != "inherited"
    below = {pid, *(process.pid for process in psutil.Process(pid).children(recursive=True))}
    shown = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # ended meanwhile
            shown[process.pid] = [password in " ".join(process.cmdline()), password in str(process.environ())]
    assert shown[pid] == [False, True]
    assert [seen for pid, seen in shown.items() if pid not in below and any(seen)] == []
    assert hold_real.ask("server.restart()") is None
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".log" for path in files)
    assert [path for path in files if password.encode() in path.read_bytes()] == []
    assert password not in hold_real.ask("repr([server, server._held.state, vars(server), server.status()])")
