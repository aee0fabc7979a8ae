"""Where the program is searched, in which order, and how a name is resolved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from opencode_nb.errors import BinaryNotFoundError
from opencode_nb.server import binary, find_binary
from opencode_nb.server.binary import login_command
from opencode_nb.server.platforms import platform_packages
from opencode_nb.server.version import PINNED_VERSION

Put = Callable[[Path], Path]


@pytest.fixture
def put() -> Put:
    """Create a program; its first bytes make it look native."""

    def put(path: Path, content: bytes = b"\x7fELF") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755)
        return path

    return put


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, without the machine's own install directories."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(home / "path"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.delenv("OPENCODE_NB_BINARY", raising=False)
    of_home = tuple(place for place in binary.INSTALLER_PLACES if place.startswith("~"))
    monkeypatch.setattr(binary, "INSTALLER_PLACES", of_home)
    return home


def test_places_are_searched_in_order(home: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = binary.versions_directory()
    assert versions.is_relative_to(home)
    put(versions / "1.9.0" / "opencode")
    for directory in (
        versions / "1.19.0",
        versions / PINNED_VERSION,
        home / ".bun" / "bin",
        home / ".opencode" / "bin",
        home / "path",
    ):
        assert find_binary(put(directory / "opencode")) == find_binary() == directory / "opencode"
    monkeypatch.setenv("OPENCODE_NB_BINARY", str(put(home / "by-environment")))
    assert find_binary() == home / "by-environment"
    assert find_binary(put(home / "by-argument")) == home / "by-argument"


def test_not_found_error_names_every_place_and_the_next_step(home: Path) -> None:
    with pytest.raises(BinaryNotFoundError) as caught:
        find_binary()
    for place in (str(home / "path"), "~/.opencode/bin", str(binary.versions_directory()), "opencode-nb install"):
        assert place in str(caught.value)


def test_a_named_place_is_the_only_one_searched(home: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / "path" / "opencode")
    monkeypatch.setenv("OPENCODE_NB_BINARY", str(home / "wrong"))
    with pytest.raises(BinaryNotFoundError, match="OPENCODE_NB_BINARY"):
        find_binary()
    with pytest.raises(BinaryNotFoundError, match="binary="):
        find_binary(home / "wrong-too")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("nowhere/opencode", "does not exist"),
        ("empty", "is a directory without a file named opencode"),
        ("plain/opencode", "is not executable: run `chmod +x {home}/plain/opencode`"),
        ("plain", "is not executable: run `chmod +x {home}/plain/opencode`"),
    ],
)
@pytest.mark.parametrize("by", ["binary", "variable"])
def test_a_wrong_name_says_what_is_wrong_and_that_no_other_place_is_looked_at(
    home: Path, put: Put, name: str, wrong: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home / "path" / "opencode")
    put(home / "plain" / "opencode").chmod(0o644)
    (home / "empty").mkdir()
    named = str(home / name)
    if by == "variable":
        monkeypatch.setenv("OPENCODE_NB_BINARY", named)
    with pytest.raises(BinaryNotFoundError) as caught:
        find_binary(named if by == "binary" else None)
    first, step = str(caught.value).splitlines()
    place = f"binary={named!r}" if by == "binary" else f"$OPENCODE_NB_BINARY={named}"
    assert first == f"The opencode program was not found: {place} {wrong.format(home=home)}."
    assert "is the only place looked at" in step
    assert ("unset it" in step) == (by == "variable")


def test_the_login_command_can_be_typed_as_it_is(home: Path, put: Put) -> None:
    own = put(binary.versions_directory() / "1.18.33" / "opencode")
    assert login_command(own) == f"{own} auth login"
    assert login_command(put(home / "my programs" / "opencode")) == f"'{home}/my programs/opencode' auth login"
    on_path = put(home / "path" / "opencode")
    assert login_command(on_path) == login_command(None) == "opencode auth login"
    assert login_command(own) == f"{own} auth login", "`opencode` means another one"


def test_a_program_can_be_named_by_directory_or_command(home: Path, put: Put) -> None:
    program = put(home / "path" / "opencode")
    assert find_binary(program.parent) == program
    assert find_binary("opencode") == program


def test_files_that_are_not_executable_are_skipped(home: Path, put: Put) -> None:
    put(home / "path" / "opencode").chmod(0o644)
    (home / ".opencode" / "bin" / "opencode").mkdir(parents=True)
    with pytest.raises(BinaryNotFoundError):
        find_binary()


@pytest.mark.parametrize("nested", [True, False])
def test_npms_launcher_is_resolved_to_the_program(home: Path, put: Put, nested: bool) -> None:
    modules = home / "lib" / "node_modules"
    launcher = put(modules / "opencode-ai" / "bin" / "opencode", b"#!/usr/bin/env node\n")
    link = home / "path" / "opencode"
    link.parent.mkdir(parents=True)
    link.symlink_to(launcher)
    assert find_binary() == link  # there is no better one
    beside = modules / "opencode-ai" / "node_modules" if nested else modules
    program = put(beside / platform_packages()[0] / "bin" / "opencode")
    assert find_binary() == program


# --- what a name means ------------------------------------------------------------------------------------------------

CLONED = (
    "1.18.33",
    "v1.18.33",
    "opencode",
    "opencode/opencode",
    "node_modules/.bin/opencode",
    "~nobody-of-that-name/oc",
)
"""Names of executables in a cloned project."""


@pytest.fixture
def cloned(home: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as the current directory, with an executable for each of CLONED, and folders that contain one."""
    project = home / "cloned"
    for name in CLONED:
        if name != "opencode":
            put(project / name)
    put(project / "bin" / "opencode")
    monkeypatch.chdir(project)
    return project


@pytest.mark.parametrize("name", [*CLONED, "bin", "", "C:\\opencode"])
@pytest.mark.parametrize("by", ["binary=", "variable"])
def test_a_name_never_means_a_file_of_the_current_directory(
    cloned: Path, name: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "variable":
        monkeypatch.setenv("OPENCODE_NB_BINARY", name)
    with pytest.raises(BinaryNotFoundError):
        find_binary(name if by == "binary=" else None)


def test_a_name_is_tried_as_a_version_then_on_path(cloned: Path, home: Path, put: Put) -> None:
    on_path = put(home / "path" / "1.18.33")
    assert find_binary("1.18.33") == on_path
    assert find_binary("1.18.33") != cloned / "1.18.33"
    own = put(binary.versions_directory() / "1.18.33" / "opencode")
    assert find_binary("1.18.33") == own


def test_only_explicit_paths_are_paths(cloned: Path, home: Path, put: Put) -> None:
    assert find_binary("./1.18.33") == cloned / "1.18.33"
    assert find_binary("./bin") == find_binary("./bin/opencode") == cloned / "bin" / "opencode"
    assert find_binary("../cloned/1.18.33").samefile(cloned / "1.18.33")
    assert find_binary(str(cloned / "bin")) == cloned / "bin" / "opencode"
    assert find_binary("~/cloned/1.18.33") == cloned / "1.18.33"
    with pytest.raises(BinaryNotFoundError, match=r"a path starts with \./"):
        find_binary("bin/opencode")


@pytest.mark.parametrize("entry", ["", ".", "bin", "./bin"])
def test_relative_path_entries_are_skipped(
    cloned: Path, home: Path, put: Put, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{entry}:{home / 'path'}")
    for name in (None, "opencode"):
        with pytest.raises(BinaryNotFoundError):
            find_binary(name)
    program = put(home / "path" / "opencode")
    assert find_binary() == find_binary("opencode") == program
    put(cloned / "bin" / "npm")
    assert binary.on_path("npm") is None
