"""Where the program is looked for, and in which order; which versions will do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from opencode_nb.errors import BinaryNotFoundError, ServerStartError
from opencode_nb.server import binary, find_binary
from opencode_nb.server.binary import MINIMUM_VERSION, PINNED_VERSION, binary_version, check_version
from opencode_nb.server.platforms import platform_packages

Put = Callable[[Path], Path]


@pytest.fixture
def put() -> Put:
    """Put a program somewhere; a native one as far as its first bytes tell."""

    def put(path: Path, content: bytes = b"\x7fELF") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755)
        return path

    return put


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with nothing in it, and none of the machine's own places."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(home / "path"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.delenv("OPENCODE_NB_BINARY", raising=False)
    of_home = tuple(place for place in binary.INSTALLER_PLACES if place.startswith("~"))
    monkeypatch.setattr(binary, "INSTALLER_PLACES", of_home)
    return home


def test_order_of_the_places(home: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_error_names_every_place_and_the_next_step(home: Path) -> None:
    with pytest.raises(BinaryNotFoundError) as caught:
        find_binary()
    for place in (str(home / "path"), "~/.opencode/bin", str(binary.versions_directory()), "opencode-nb install"):
        assert place in str(caught.value)


def test_place_that_was_named_is_the_only_one(home: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / "path" / "opencode")
    monkeypatch.setenv("OPENCODE_NB_BINARY", str(home / "wrong"))
    with pytest.raises(BinaryNotFoundError, match="OPENCODE_NB_BINARY"):
        find_binary()
    with pytest.raises(BinaryNotFoundError, match="binary="):
        find_binary(home / "wrong-too")


def test_named_by_directory_or_by_a_command(home: Path, put: Put) -> None:
    program = put(home / "path" / "opencode")
    assert find_binary(program.parent) == program
    assert find_binary("opencode") == program


def test_what_is_not_executable_does_not_count(home: Path, put: Put) -> None:
    put(home / "path" / "opencode").chmod(0o644)
    (home / ".opencode" / "bin" / "opencode").mkdir(parents=True)
    with pytest.raises(BinaryNotFoundError):
        find_binary()


@pytest.mark.parametrize("nested", [True, False])
def test_npms_launcher_is_followed_to_the_program(home: Path, put: Put, nested: bool) -> None:
    modules = home / "lib" / "node_modules"
    launcher = put(modules / "opencode-ai" / "bin" / "opencode", b"#!/usr/bin/env node\n")
    link = home / "path" / "opencode"
    link.parent.mkdir(parents=True)
    link.symlink_to(launcher)
    assert find_binary() == link  # nothing better is there
    beside = modules / "opencode-ai" / "node_modules" if nested else modules
    program = put(beside / platform_packages()[0] / "bin" / "opencode")
    assert find_binary() == program


def test_version_of_the_real_program(opencode_program: Path) -> None:
    check_version(binary_version(opencode_program), opencode_program)


def test_version_of_a_program_that_does_not_run(home: Path, put: Put) -> None:
    with pytest.raises(ServerStartError, match="does not run"):
        binary_version(put(home / "opencode"))
    with pytest.raises(ServerStartError, match="exit code 7"):
        binary_version(put(home / "opencode", b"#!/bin/sh\nexit 7\n"))


@pytest.mark.parametrize(
    "version", [MINIMUM_VERSION, PINNED_VERSION, "1.100.0", "2.0.0-beta.1", "local", "0.0.0-dev-1"]
)
def test_versions_that_will_do(version: str) -> None:
    check_version(version, "opencode")


@pytest.mark.parametrize("version", ["1.16.99", "1.9.0", "0.3.1"])
def test_versions_that_are_too_old(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerStartError, match=rf"{MINIMUM_VERSION} or newer.*OPENCODE_NB_BINARY={PINNED_VERSION}"):
        check_version(version, "opencode")
    monkeypatch.setenv("OPENCODE_NB_SKIP_VERSION_CHECK", "1")
    check_version(version, "opencode")
