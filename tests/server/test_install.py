"""Installing the program with the real npm, mostly from a registry that misbehaves on demand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from opencode_nb.errors import BinaryNotFoundError, ServerError
from opencode_nb.server import binary, find_binary, serve
from opencode_nb.server.binary import versions_directory
from opencode_nb.server.install import LOCK, UNFINISHED, install_binary
from opencode_nb.server.installed import installed, installed_lines, remove_version, unused_hint
from opencode_nb.server.platforms import platform_packages
from opencode_nb.server.version import PINNED_VERSION, binary_version
from tests.server.registry import Registry, serving, tarball
from tests.support.isolation import NPM_OFFLINE

SIZE = 4_000_000
"""Bytes of a program whose download is interrupted: more than all buffers on the way hold."""

STEP = 30.0


@pytest.fixture(autouse=True)
def data(not_quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory, and no other program anywhere."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("OPENCODE_NB_BINARY", raising=False)
    monkeypatch.delenv(NPM_OFFLINE)
    monkeypatch.setattr(binary, "INSTALLER_PLACES", ())
    return tmp_path / "data"


@pytest.fixture
def registry(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry with a small 1.20.0 and a 1.21.0 that takes a while to download; npm's cache is empty."""
    tags = {"latest": "1.20.0", "next": "1.21.0"}
    with serving(Registry({"1.20.0": tarball("1.20.0"), "1.21.0": tarball("1.21.0", SIZE)}, tags)) as registry:
        monkeypatch.setenv("npm_config_registry", registry.url)
        monkeypatch.setenv("npm_config_cache", str(data.parent / "cache"))
        yield registry


def names() -> set[str]:
    """Return the names in the directory of our installs, without the lock."""
    return {path.name for path in versions_directory().iterdir()} - {LOCK}


def own(version: str) -> Path:
    return versions_directory() / version / "opencode"


def unfinished(version: str) -> Path:
    return versions_directory() / f"{UNFINISHED}{platform_packages()[0]}-{version}.tgz"


def in_a_process(code: str, **options: object) -> subprocess.Popen[str]:
    """Run code after importing `install_binary`."""
    program = f"import os, signal\nfrom opencode_nb.server.install import install_binary\n{code}"
    return subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload,no-any-return]


# --- as it should be --------------------------------------------------------------------------------------------------


def test_concurrent_installs_both_succeed_and_a_later_one_does_nothing(data: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    with ThreadPoolExecutor(2) as pool:
        installs = [pool.submit(install_binary, progress=lambda *step: told.append(step)) for _ in range(2)]
        programs = {install.result() for install in installs}
    assert programs == {own(PINNED_VERSION)}
    program = programs.pop()
    assert program.is_relative_to(data)
    assert binary_version(program) == PINNED_VERSION
    assert names() == {PINNED_VERSION}  # no leftovers
    loaded = [(done, total) for step, done, total in told if step.startswith("Downloading")]
    assert loaded == sorted(loaded)  # downloaded by only one of the two
    assert loaded[-1][0] == loaded[-1][1]
    assert any(step.startswith("Waiting for another") for step, _, _ in told)
    before = program.stat()
    assert install_binary() == program
    assert program.stat() == before


def test_a_slow_download_tells_its_progress_by_quarters_of_a_megabyte(registry: Registry) -> None:
    registry.piece = 1000
    told: list[int] = []
    install_binary("1.21.0", progress=lambda step, done, _: told.append(done) if step.startswith("Down") else None)
    assert told[-1] == len(registry.versions["1.21.0"])
    assert min(later - before for before, later in pairwise([0, *told[:-1]])) >= 1 << 18


def test_tags_are_resolved_by_npm(registry: Registry) -> None:
    assert install_binary("latest") == own("1.20.0")
    assert install_binary("next") == own("1.21.0")
    assert install_binary("v1.20.0") == own("1.20.0")
    with pytest.raises(ServerError, match="There is no such version"):
        install_binary("nightly")


def test_versions_are_installed_side_by_side(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("1.20.0", "1.21.0"):
        install_binary(version)
    assert [install.version for install in installed()] == ["1.21.0", "1.20.0"]
    assert installed()[0].size > SIZE
    first, second, used = installed_lines()
    assert first == "1.21.0          4 MB (used)"
    assert second == "1.20.0          0 MB"
    assert used == f"Used: OpenCode 1.21.0 at {own('1.21.0')}, found by opencode-nb install."
    assert "OPENCODE_NB_BINARY=1.20.0" in unused_hint(own("1.20.0"))
    monkeypatch.setenv("OPENCODE_NB_BINARY", "1.20.0")
    assert find_binary() == own("1.20.0")
    assert unused_hint(own("1.20.0")) == ""
    assert installed_lines()[-1].endswith("found by $OPENCODE_NB_BINARY=1.20.0.")
    assert remove_version("1.21.0") > SIZE
    assert names() == {"1.20.0"}
    with pytest.raises(ServerError, match=r"1\.21\.0 is not installed.*Installed: 1\.20\.0"):
        remove_version("1.21.0")


def test_a_version_in_use_by_a_server_is_not_removed(opencode_program: Path, tmp_path: Path) -> None:
    own(PINNED_VERSION).parent.mkdir(parents=True)
    shutil.copy(opencode_program, own(PINNED_VERSION))  # other tests' servers run the file itself
    with serve(binary=PINNED_VERSION, directory=tmp_path) as server:
        with pytest.raises(ServerError, match=f"in use, by process {server.pid}: stop it first"):
            remove_version(PINNED_VERSION)
        assert own(PINNED_VERSION).exists()
    remove_version(PINNED_VERSION)
    assert names() == set()


def test_npm_comes_from_the_python_package_if_there_is_no_other(
    registry: Registry, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{data}:/usr/bin/nowhere")
    assert find_binary(install_binary("1.20.0")) == own("1.20.0")


# --- downloads that break off -----------------------------------------------------------------------------------------


def test_a_broken_download_is_resumed(registry: Registry) -> None:
    size = len(registry.versions["1.21.0"])
    registry.break_after = [size // 2, 1000]
    install_binary("1.21.0")
    assert registry.asked == [None, f"bytes={size // 2}-", f"bytes={size // 2 + 1000}-"]
    assert registry.sent == size
    assert names() == {"1.21.0"}


def test_a_killed_install_is_never_found_and_its_download_resumes(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(registry.versions["1.21.0"])
    registry.holds = True
    killed = in_a_process("install_binary('1.21.0')")
    assert registry.half_sent.wait(STEP)
    wait_for_bytes(unfinished("1.21.0"), size // 4)
    killed.kill()
    killed.communicate()
    assert len([name for name in names() if name.startswith(UNFINISHED)]) == 2  # the download, and where npm works
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "")
        with pytest.raises(BinaryNotFoundError):
            find_binary()
    registry.holds = False
    registry.go_on.set()
    have = unfinished("1.21.0").stat().st_size
    assert have >= size // 4
    assert find_binary(install_binary("1.21.0")) == own("1.21.0")
    assert registry.asked == [None, f"bytes={have}-"]
    assert names() == {"1.21.0"}  # the leftovers are removed


def wait_for_bytes(path: Path, count: int) -> None:
    """Poll until a file has so many bytes, as nothing signals another process's writes."""
    deadline = time.monotonic() + STEP
    while not path.exists() or path.stat().st_size < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)  # poll again


def test_an_exception_in_progress_ends_the_install_and_keeps_the_download(registry: Registry) -> None:
    class StopItError(Exception):
        pass

    def progress(step: str, done: int, _total: int | None) -> None:
        if step.startswith("Downloading") and done > SIZE // 2:
            raise StopItError

    with pytest.raises(StopItError):
        install_binary("1.21.0", progress=progress)
    assert names() == {unfinished("1.21.0").name}
    have = unfinished("1.21.0").stat().st_size
    install_binary("1.21.0")
    assert registry.asked == [None, f"bytes={have}-"]


def test_a_registry_without_ranges_sends_the_whole_file(registry: Registry) -> None:
    registry.ranges, registry.break_after = False, [SIZE // 2]
    install_binary("1.21.0")
    assert len(registry.asked) == 2
    assert names() == {"1.21.0"}


def test_a_leftover_of_another_file_is_replaced(registry: Registry) -> None:
    versions_directory().mkdir(parents=True)
    for left in (b"x" * 100, b"x" * len(registry.versions["1.20.0"]), b"x" * SIZE):
        unfinished("1.20.0").write_bytes(left)
        install_binary("1.20.0", force=True)
        assert binary_version(own("1.20.0")) == "1.20.0"
        assert names() == {"1.20.0"}


def test_npm_downloads_if_a_login_is_needed(registry: Registry, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.token = "secret"
    settings = data.parent / "npmrc"
    settings.write_text(f"//{registry.url.partition('//')[2]}/:_authToken=secret\n")
    monkeypatch.setenv("npm_config_userconfig", str(settings))
    assert install_binary("1.20.0") == own("1.20.0")
    assert len(registry.asked) == 1


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_wrong_checksum_is_refused_and_leaves_nothing(registry: Registry) -> None:
    registry.promised["1.20.0"] = b"something else"
    for _ in range(2):  # the second attempt behaves like the first
        with pytest.raises(ServerError, match="does not match the registry's checksum"):
            install_binary("1.20.0")
        assert names() == set()
    assert registry.asked == [None, None]  # once each: npm is not asked to download it again


def test_content_changed_during_a_download_is_refused(registry: Registry) -> None:
    whole = registry.versions["1.21.0"]
    registry.promised["1.21.0"] = whole
    registry.versions["1.21.0"] = whole[: SIZE // 2] + b"changed" + whole[SIZE // 2 + 7 :]
    registry.break_after = [SIZE // 4]
    with pytest.raises(ServerError, match="does not match the registry's checksum"):
        install_binary("1.21.0")
    assert names() == set()
    registry.versions["1.21.0"] = whole
    install_binary("1.21.0")
    assert names() == {"1.21.0"}


def test_archive_entries_outside_the_package_are_not_written(registry: Registry, data: Path) -> None:
    outside = data.parent / "outside"
    outside.mkdir()
    entries = {
        f"package/../../../../../../../../../../../../../..{outside}/by-dots": b"evil",
        f"{outside}/by-root": b"evil",
        "package/link": outside,
        "package/link/by-link": b"evil",
        "package/hard": outside / "hard",
    }
    registry.versions["1.22.0"] = tarball("1.22.0", entries=entries)
    assert binary_version(install_binary("1.22.0")) == "1.22.0"
    assert list(outside.iterdir()) == []
    assert [path.name for path in own("1.22.0").parent.iterdir()] == ["opencode"]


def test_a_program_that_is_a_link_is_refused(registry: Registry, data: Path) -> None:
    elsewhere = data.parent / "elsewhere"
    elsewhere.write_text("#!/bin/sh\necho 1.22.0\n")
    elsewhere.chmod(0o755)
    registry.versions["1.22.0"] = tarball("1.22.0", entries={"package/bin/opencode": elsewhere})
    with pytest.raises(ServerError, match="does not run"):
        install_binary("1.22.0")
    assert not own("1.22.0").exists()


@pytest.mark.parametrize("wanted", ["latest", "2.4.0", "1.2.3"])
def test_an_unsupported_version_is_refused_before_its_download(registry: Registry, wanted: str) -> None:
    registry.versions |= {version: tarball(version) for version in ("2.3.0", "1.2.3")}
    registry.tags["latest"] = "2.3.0"
    told = "2.3.0" if wanted == "latest" else wanted
    with pytest.raises(ServerError, match=rf"Nothing was installed: this is OpenCode {re.escape(told)}[,;].*needed"):
        install_binary(wanted)
    assert registry.asked == []
    assert names() == set()


def test_a_program_of_another_version_is_refused(registry: Registry) -> None:
    registry.versions["1.22.0"] = tarball("1.20.0")
    with pytest.raises(ServerError, match=r"1\.22\.0 was requested, but the package contains 1\.20\.0"):
        install_binary("1.22.0")
    assert not own("1.22.0").exists()


def test_a_program_that_does_not_run_is_refused(registry: Registry) -> None:
    registry.versions["1.22.0"] = tarball("1.22.0; exit 3")
    with pytest.raises(ServerError, match=r"does not run on this machine: .* exit code 3"):
        install_binary("1.22.0")
    assert names() == {unfinished("1.22.0").name}


def test_no_network_is_an_error_with_the_next_step(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(ServerError, match="registry could not be reached"):
        install_binary()
    assert names() == set()


def test_a_nonexistent_version_is_an_error(registry: Registry) -> None:
    with pytest.raises(ServerError, match="There is no such version"):
        install_binary("999.0.0")
    assert names() == set()


@pytest.mark.parametrize("version", ["", "1.18", "../1.18.33", "1.18.33; rm", "--global"])
def test_an_invalid_version_is_refused(version: str) -> None:
    with pytest.raises(ServerError, match="is not a version"):
        install_binary(version)


def test_an_unwritable_directory_is_an_error(data: Path) -> None:
    data.write_text("in the way")
    with pytest.raises(ServerError, match="could not be installed in"):
        install_binary()


def test_an_unwritable_npm_cache_is_an_error(registry: Registry, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data.parent / "file").touch()
    monkeypatch.setenv("npm_config_cache", str(data.parent / "file"))
    with pytest.raises(ServerError, match="If it is npm's cache, set another one: npm_config_cache=DIR"):
        install_binary("1.20.0")
    assert not own("1.20.0").exists()


def test_a_full_disk_is_an_error_during_download_and_unpacking(registry: Registry) -> None:
    """A file size limit makes a write fail half-way, like a full disk, without filling one."""
    registry.versions["1.22.0"] = tarball("1.22.0", SIZE)
    for limit in (SIZE // 2, SIZE // 4):
        code = (
            f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\ninstall_binary('1.22.0')"
        )
        _, said = in_a_process(code).communicate(timeout=STEP)
        assert "ServerError: OpenCode could not be installed in" in said
        assert "File too large. Free some space" in said
    assert not own("1.22.0").exists()
    install_binary("1.22.0")
    assert names() == {"1.22.0"}
