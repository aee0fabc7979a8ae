"""Which versions are accepted, how a version is found before the start, and how OpenCode 2 is refused."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

import opencode_nb as oc
from opencode_nb.errors import BinaryNotFoundError, ServerStartError
from opencode_nb.server import binary, find_binary, serve, version
from opencode_nb.server.installed import installed_lines
from opencode_nb.server.version import (
    PINNED_VERSION,
    SUPPORTED_VERSIONS,
    binary_version,
    check_version,
    known_version,
    version_in,
)

SKIP = "OPENCODE_NB_SKIP_VERSION_CHECK"
Put = Callable[..., Path]

SERVER = """
import http.server as h, sys
class Page(h.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Type", "text/html"); self.end_headers()
        self.wfile.write(b"<!doctype html><title>OpenCode</title>")
    do_POST = do_GET
    log_message = lambda *_: None
server = h.HTTPServer(("127.0.0.1", 0), Page)
print(f"opencode server listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""
"""The server of OpenCode 2, as far as OpenCode 1's routes go."""


@pytest.fixture
def put() -> Put:
    """Create a program that prints its version, else creates a file `started` beside it and serves web pages."""

    def put(path: Path, printed: str = "2.3.0") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        told = f"[ \"$1\" = --version ] && printf '{printed}\\n' && exit"
        path.write_text(f"#!/bin/sh\n{told}\ntouch '{path}.started'\nexec {sys.executable} - <<'EOF'\n{SERVER}EOF\n")
        path.chmod(0o755)
        return path

    return put


def started(program: Path) -> bool:
    return program.with_name(f"{program.name}.started").exists()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a program, with two directories on PATH."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'first'}:{tmp_path / 'second'}:/usr/bin:/bin")
    monkeypatch.delenv("OPENCODE_NB_BINARY", raising=False)
    monkeypatch.setattr(binary, "INSTALLER_PLACES", ("~/.opencode/bin",))
    monkeypatch.setattr(binary, "_told", set())
    return tmp_path


# --- which versions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("will_do", [SUPPORTED_VERSIONS[0], PINNED_VERSION, "1.100.0", "local", "0.0.0-dev-1", ""])
def test_supported_versions_are_accepted(will_do: str) -> None:
    check_version(will_do, "opencode")


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        ("1.16.99", "1.17.0 or newer is needed"),
        ("0.3.1", "1.17.0 or newer is needed"),
        ("2.0.0-beta.1", "does not support yet"),
        ("2.3.0", "does not support yet"),
        ("10.0.0", "does not support yet"),
    ],
)
def test_unsupported_versions_are_refused(refused: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerStartError, match=rf"{why}.*opencode-nb install.*OPENCODE_NB_BINARY={PINNED_VERSION}"):
        check_version(refused, "opencode")
    monkeypatch.setenv(SKIP, "1")
    check_version(refused, "opencode")


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ("1.18.33\n", "1.18.33"),
        ("v2.3.0", "2.3.0"),
        ("\x1b[1mopencode\x1b[0m 2.3.0\n", "2.3.0"),
        ("opencode/2.3.0 linux-x64 node-v22.1.0", "2.3.0"),
        ("@opencode/cli/2.3.0 linux-x64 node-v22.1.0", "2.3.0"),
        ("node v22.1.0: a warning\nOpenCode version 2.3.0 (build 7.7.7)", "2.3.0"),
        ("2.4.0 is available\n1.18.33\n", "1.18.33"),
        ('{"version": "2.0.0-beta.1"}', "2.0.0-beta.1"),
        ("listening on http://127.0.0.1:4096", ""),
        ("Python 3.12.1", ""),
        ("ls (GNU coreutils) 9.1", ""),
        ("local", ""),
    ],
)
def test_the_version_is_found_in_a_programs_output(printed: str, found: str) -> None:
    assert version_in(printed) == found


# --- of a program -----------------------------------------------------------------------------------------------------


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    def script(lines: str) -> Path:
        path = tmp_path / "opencode"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        return path

    return script


@pytest.mark.parametrize(
    "lines",
    [
        "exec sleep 1000",
        "trap '' TERM INT HUP\nwhile :; do sleep 1; done",
        "sleep 1000 & echo; exit",
        "exec yes",
        "exec yes | tr -d '\\n'",
        "exec head -c 200000 /dev/urandom",
        "exit 7",
        "kill -9 $$",
        "",
    ],
)
def test_a_program_that_prints_no_version_does_not_block(script: Callable[[str], Path], lines: str) -> None:
    began = time.monotonic()
    assert known_version(script(lines), seconds=0.5) == ""
    assert time.monotonic() - began < 10  # a bound, not a speed


def test_the_version_of_a_program_that_keeps_running_is_found(script: Callable[[str], Path]) -> None:
    assert known_version(script("echo 2.3.0; exec sleep 1000"), seconds=2.0) == "2.3.0"


def test_a_program_that_does_not_run_is_an_error(script: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ServerStartError, match="exit code 7"):
        binary_version(script("exit 7"))
    (tmp_path / "opencode").write_bytes(b"\x7fELF")
    with pytest.raises(ServerStartError, match="does not run"):
        binary_version(tmp_path / "opencode")


@pytest.mark.parametrize("name", ["opencode-ai", "@opencode/cli", "@opencode/cli-linux-x64"])
def test_npms_package_has_the_version_of_a_broken_launcher(
    script: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    package = tmp_path / "lib" / "node_modules" / name
    (package / "bin").mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": name, "version": "2.3.0"}))
    script("exit 127").rename(package / "bin" / "opencode")
    link = tmp_path / "opencode-link"
    link.symlink_to(package / "bin" / "opencode")
    assert known_version(link) == "2.3.0"


def test_an_unrelated_package_json_is_ignored(script: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = script("echo 1.18.33").rename(tmp_path / "bin" / "opencode")
    for content in ('{"name": "my-project", "version": "2.0.0"}', "[]", "{", '{"name": "opencode-ai", "version": 2}'):
        (tmp_path / "package.json").write_text(content)
        assert known_version(program) == "1.18.33"


def test_the_real_program_is_asked_once(
    opencode_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start must not run `--version` each time, but again for a changed program at the same path."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    program = tmp_path / "opencode"
    shutil.copy(opencode_program, program)
    told = known_version(program)
    assert told == binary_version(opencode_program)
    with monkeypatch.context() as patch:
        patch.setattr(version.subprocess, "Popen", None)  # nothing is run
        assert known_version(program) == told
    program.unlink()
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    assert known_version(program) == ""


# --- OpenCode 2 -------------------------------------------------------------------------------------------------------


def test_the_search_skips_opencode_2_and_logs_it_once(home: Path, put: Put, caplog: pytest.LogCaptureFixture) -> None:
    second = put(home / "first" / "opencode")
    own = binary.versions_directory() / "1.20.0"
    for directory, told in ((own, "1.20.0"), (home / ".opencode" / "bin", "1.18.0"), (home / "second", "1.19.2")):
        other = put(directory / "opencode", told)
        assert find_binary() == other
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 1
    assert f"Passed over OpenCode 2.3.0 at {second}" in said[0]
    assert f"Passed over: OpenCode 2.3.0 at {second}" in installed_lines()[-1]
    assert not started(second)


def test_with_only_opencode_2_the_next_step_is_an_install(home: Path, put: Put) -> None:
    put(home / "first" / "opencode")
    put(binary.versions_directory() / "2.1.0" / "opencode", "2.1.0")
    with pytest.raises(BinaryNotFoundError) as caught:
        find_binary()
    for text in ("in a supported version", "OpenCode 2.3.0", "OpenCode 2.1.0", "opencode-nb install"):
        assert text in str(caught.value)
    lines = installed_lines()
    assert lines[0].startswith("2.1.0 ")
    assert lines[0].endswith("not supported")
    assert "opencode-nb install" in lines[-1]


@pytest.mark.parametrize("by", ["binary=", "variable", "own install"])
@pytest.mark.parametrize("shared", [True, False])
def test_a_named_opencode_2_is_refused_and_not_started(
    home: Path, put: Put, by: str, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home / "first" / "opencode", "1.18.33")  # only the named one counts
    program = put(binary.versions_directory() / "2.3.0" / "opencode" if by == "own install" else home / "two" / "oc")
    named = "2.3.0" if by == "own install" else str(program)
    if by == "variable":
        monkeypatch.setenv("OPENCODE_NB_BINARY", named)
    with pytest.raises(ServerStartError, match=r"is OpenCode 2\.3\.0, which .* not support yet.*opencode-nb install"):
        serve(binary=None if by == "variable" else named, shared=shared)
    assert not started(program)


def test_opencode_2_without_a_version_is_recognised_by_its_server(
    home: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = put(home / "two" / "opencode", "a build of mine")
    with pytest.raises(ServerStartError, match=r"none of the routes of OpenCode 1: it is OpenCode 2"):
        serve(binary=program)
    put(program)
    monkeypatch.setenv(SKIP, "1")  # accepts the version, but not an incompatible server
    with pytest.raises(ServerStartError, match=r"none of the routes of OpenCode 1: it is OpenCode 2"):
        serve(binary=program)


class _Two(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, tuple[int, str, str]]]

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        page = (200, "text/html", "<!doctype html><title>OpenCode</title>")
        status, kind, body = self.answers.get(self.path, page)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.fixture
def server_of_two(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the URL of a server that answers like OpenCode 2: these answers, else its web page."""
    handler = type("Two", (_Two,), {"answers": request.param})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "server_of_two",
    [
        {},
        {"/api/health": (200, "application/json", '{"healthy": true}')},
        {"/global/health": (404, "application/json", '{"error": "not found"}')},
        {"/global/health": (200, "application/json", '{"healthy": true, "version": "2.3.0"}')},
    ],
    indirect=True,
)
def test_a_named_server_of_opencode_2_is_refused(server_of_two: str, tmp_path: Path) -> None:
    ai = oc.Opencode(base_url=server_of_two, directory=tmp_path)
    with pytest.raises(oc.NotSupportedError, match=r"OpenCode 2.*opencode-nb install"):
        ai.start()
    ai.close()


def test_the_command_line_reports_it_once_on_stderr(home: Path, put: Put) -> None:
    put(home / "first" / "opencode")
    put(home / "second" / "opencode", "1.19.2")
    code = "from opencode_nb.server import find_binary; find_binary(); print(find_binary())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == f"{home / 'second' / 'opencode'}\n"
    assert told.stderr.count("Passed over") == 1
