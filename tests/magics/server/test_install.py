"""%opencode install in a real kernel: one updating line in a page, plain lines in a headless run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.magics.support_kernel import Kernel, Message, printed
from tests.server.registry import Registry, serving, tarball
from tests.support.isolation import NPM_OFFLINE

SIZE = 4_000_000
STEP = 30


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("install")


@pytest.fixture(scope="module")
def registry(not_quick: None) -> Iterator[Registry]:
    programs = {"1.20.0": tarball("1.20.0"), "1.21.0": tarball("1.21.0", SIZE), "1.22.0": tarball("1.22.0", SIZE)}
    with serving(Registry(programs, {"latest": "1.20.0"})) as registry:
        yield registry


@pytest.fixture(scope="module")
def kernel(place: Path, registry: Registry) -> Iterator[Kernel]:
    """A kernel with nothing installed, whose npm uses a registry on loopback."""
    env = {name: value for name, value in os.environ.items() if name not in ("OPENCODE_NB_BINARY", NPM_OFFLINE)}
    env |= {"XDG_DATA_HOME": str(place / "data"), "npm_config_registry": registry.url}
    kernel = Kernel(place, env | {"npm_config_cache": str(place / "cache")})
    kernel.run("%load_ext opencode_nb")
    yield kernel
    kernel.close()


def test_a_page_shows_one_updating_line(kernel: Kernel, place: Path) -> None:
    messages = kernel.run("%opencode install 1.21.0")
    (line,) = [message for message in messages if message["msg_type"] == "display_data"]
    updates = [message["content"] for message in messages if message["msg_type"] == "update_display_data"]
    name = line["content"]["transient"]["display_id"]
    assert {content["transient"]["display_id"] for content in updates} == {name}
    lines = [content["data"]["text/plain"] for content in updates]
    assert re.fullmatch(r"Downloading opencode-\S+ 1\.21\.0  \[#{20}\]  4 of 4 MB", done(lines)[-1])
    assert lines[-1] == "Checking OpenCode 1.21.0…"
    assert len(done(lines)) <= 2 + SIZE // (1 << 18) + 1
    assert f"Installed: {place / 'data/opencode-nb/versions/1.21.0/opencode'}" in printed(messages)


def done(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("Downloading")]


def test_installed_versions_are_listed_and_removed(kernel: Kernel) -> None:
    assert "Another program takes precedence: OpenCode 1.21.0" in printed(kernel.run("%opencode install latest"))
    listed = printed(kernel.run("%opencode install --list"))
    assert "1.21.0          4 MB (used)\n1.20.0          0 MB\nUsed: OpenCode 1.21.0 at " in listed
    assert "Removed OpenCode 1.21.0: 4 MB freed." in printed(kernel.run("%opencode install --remove 1.21.0"))
    assert "ServerError: OpenCode 1.21.0 is not installed here" in printed(
        kernel.run("%opencode install --remove 1.21.0")
    )


def test_an_interrupted_cell_keeps_the_download(kernel: Kernel, registry: Registry) -> None:
    registry.asked.clear()
    registry.half_sent.clear()
    registry.holds = True
    cell = kernel.start("%opencode install 1.22.0")
    assert registry.half_sent.wait(STEP)
    while not any(done([shown(message)]) for message in [kernel.wait_for("update_display_data")]):
        pass  # the page has shown part of it
    kernel.manager.interrupt_kernel()
    assert "Interrupted." in printed(kernel.finish(cell))
    registry.holds = False
    registry.go_on.set()
    assert "Installed: " in printed(kernel.run("%opencode install 1.22.0"))
    first, second = registry.asked
    assert first is None
    assert second is not None


def shown(message: Message) -> str:
    return str(message["content"]["data"]["text/plain"])


def test_headless_each_step_is_a_line(kernel: Kernel) -> None:
    kernel.client.allow_stdin = False
    messages = kernel.run("%opencode install 1.21.0")
    kernel.client.allow_stdin = True
    assert not [message for message in messages if message["msg_type"].endswith("display_data")]
    lines = printed(messages).split("…\n")
    assert [line.split()[0] for line in lines[:-1]] == ["Finding", "Downloading", "Unpacking", "Installing", "Checking"]
