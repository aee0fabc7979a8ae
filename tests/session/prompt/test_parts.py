"""What goes along with a prompt: files are text or media by their bytes, and only regular files are read."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencode_nb.changes import regular_file, worktree
from opencode_nb.session.prompt import media
from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.session.prompt.parts import Attachment
from tests.recordings.record import png

PNG = png(3, 2)
TEXT = b"rule all:\n    input: 'a.txt'\n"


def attached(file: Any, directory: Path) -> dict[str, Any]:
    return prompt_parts.file_part(file, directory)


@pytest.mark.parametrize(
    "name",
    [
        "Snakefile.smk",
        "a.nim",
        "board.dts",
        "list.m3u",
        "p3.ppm",
        "sky.hdr",
        "app.ts",
        "a.mts",
        "a.pls",
        "a.ogg",
        "icon.xpm",
        "text.png",
        "notes.pdf",
        "no-ending",
        "a.unknown",
        "drawing.svg",
    ],
)
@pytest.mark.parametrize("data", [TEXT, b"", "größer: 漢字\n".encode(), "Größe\n".encode("latin-1"), b"\xff\xfea\0b\0"])
def test_text_is_detected_whatever_the_file_extension(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    part = attached(name, tmp_path)
    assert part["mime"] == "text/plain"
    assert part["url"] == (tmp_path / name).as_uri()
    pasted = attached(Attachment(name, "video/mp2t", data), tmp_path)
    assert pasted["mime"] == "text/plain"


@pytest.mark.parametrize(
    ("name", "data", "mime"),
    [
        ("a.png", PNG, "image/png"),
        ("a.txt", PNG, "image/png"),
        ("no-ending", PNG, "image/png"),
        ("a.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image/jpeg"),
        ("a.dat", b"GIF89a\1\0\1\0\0\0\0;", "image/gif"),
        ("a.dat", b"RIFF\x10\0\0\0WEBPVP8 \0\0", "image/webp"),
        ("a.ts", b"G@\0\x10" + b"\xff" * 184, "video/mp2t"),
        ("a.mp3", b"\xff\xfb\x90d\0\0", "audio/mpeg"),
        ("a.wav", b"RIFF\x24\0\0\0WAVEfmt \x10\0", "audio/wav"),
        ("a.pdf", b"%PDF-1.4\n%all of it ASCII\n", "application/pdf"),
        ("report", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
        ("a.bin", b"\0\1\2", "text/plain"),
    ],
)
def test_media_types_are_detected_from_the_bytes(tmp_path: Path, name: str, data: bytes, mime: str) -> None:
    (tmp_path / name).write_bytes(data)
    claimed = {"video/mp2t": "video/mp2t"}.get(mime, "")
    assert media.mime(name, data, claimed) == mime
    if not claimed:
        assert attached(name, tmp_path)["mime"] == mime
        assert attached(Attachment(name, "application/octet-stream", data), tmp_path)["mime"] == mime


def test_an_image_is_attached_unchanged(tmp_path: Path) -> None:
    data = PNG + bytes(range(256)) * 100
    (tmp_path / "a.png").write_bytes(data)
    assert base64.b64decode(attached("a.png", tmp_path)["url"].partition(",")[2]) == data


@pytest.mark.parametrize(
    "data",
    ["größer: 漢字\n", "größer: 漢字\n".encode(), "größer: 漢字\n".encode("utf-16")],
)
def test_embedded_text_is_sent_in_utf8(data: bytes | str) -> None:
    """The server reads it so, whatever it was written in."""
    part = Attachment("notes.md", "text/markdown", data).part()
    assert (part["mime"], part["filename"]) == ("text/plain", "notes.md")
    assert base64.b64decode(part["url"].partition(",")[2]).decode("utf-8") == "größer: 漢字\n"


def test_an_attachment_of_something_else_raises() -> None:
    with pytest.raises(TypeError, match="must be bytes or a str, not list"):
        Attachment("a.txt", "text/plain", [1])  # type: ignore[arg-type]


def test_a_link_is_sent_as_text_and_a_path_is_not(tmp_path: Path) -> None:
    """The server does not fetch links: an image fails, a text is dropped."""
    link = "https://example.org/a.png"
    for part in (prompt_parts.file_part, prompt_parts.image_part):
        assert part(link, tmp_path) == {"type": "text", "text": link}
        with pytest.raises(FileNotFoundError):
            part("see https://example.org", tmp_path)


@settings(deadline=None)
@given(st.text(min_size=1), st.integers(0, 3))
def test_text_is_detected_when_the_sample_splits_a_character(text: str, cut: int) -> None:
    head = ("x" + text.replace("\0", "").replace("%", "")).encode("utf-8", "replace")
    assert media.mime("a.ts", head[: max(1, len(head) - cut)]) == "text/plain"


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A directory with what is no regular file."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "terminal.png").symlink_to("/dev/tty")
    (tmp_path / "linked.png").symlink_to("pipe.png")
    with socket.socket(socket.AF_UNIX) as listening:
        at = os.open(tmp_path, os.O_RDONLY)  # a socket's name is short: by way of the folder's descriptor
        listening.bind(f"/proc/self/fd/{at}/socket.png")
        os.close(at)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pipe.png", "pipe"),
        ("linked.png", "pipe"),
        ("device.png", "device"),
        ("socket.png", "socket"),
        ("terminal.png", "device"),
        ("/dev/zero", "device"),
        ("/dev/stdin", "(pipe|device|socket)"),
        ("pipe.png:1-2", "pipe"),
    ],
)
def test_attaching_a_pipe_device_or_socket_raises(odd: Path, name: str, kind: str) -> None:
    for part in (prompt_parts.file_part, prompt_parts.image_part):
        with pytest.raises(
            regular_file.NotRegularError, match=rf"is a {kind}, not a regular file\. Copy .* Nothing was sent"
        ):
            part(name, odd)


def test_a_mention_of_a_pipe_device_or_socket_stays_plain_text(odd: Path) -> None:
    (odd / "real.txt").write_text("x")
    text = "see @pipe.png, @linked.png, @device.png, @socket.png, @/dev/zero and @real.txt"
    assert [part["filename"] for part in prompt_parts.mentioned(text, odd, ())] == ["real.txt"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("look at @nosuch.py", ["nosuch.py"]),
        ("(see @src/nosuch), @nosuch/, @src/x.py:3-9", ["src/nosuch", "nosuch/", "src/x.py:3-9"]),
        ('@"my data.csv" and @./x, @../x, @~/no-such-file', ["my data.csv", "./x", "../x", "~/no-such-file"]),
        ("@nosuch.py.\n@Data.CSV!\t@.env", ["nosuch.py", "Data.CSV", ".env"]),
        ("@nosuch.py and @nosuch.py again", ["nosuch.py"]),
        ("@src/a.py:1-2, @src/a.py, @src, @src/ and @./src", []),
        ("@dataclass, @property\n@app.get\n@pytest.mark.parametrize and @mock.patch", []),
        ('@app.route("/x.html") and @click.option("--file", default="x.py")', []),
        ("@types/node, @angular/core, @team, @john.doe, @socket.io", []),
        ("mail me@example.org, ada@nosuch.py, git@github.com:a/b.py", []),
        ("icon@2x.png and @@ -1,3 +1,4 @@", []),
        ("in backticks: `@nosuch.py`, `see @nosuch.py`", []),
        ("```js\nimport x from @nosuch.js\n@nosuch.py\n```\nthen @other.py", ["other.py"]),
        ("~~~\n@nosuch.py", []),
        ("import a from \"@/components/a.vue\"; from '@lib/b.ts'", []),
        ("@explore.md is no agent, @frame.csv an attribute", ["explore.md"]),
        ("@explore/ and @explore", ["explore/"]),
        ("@" + "x" * 5000 + ".py", ["x" * 5000 + ".py"]),
        ("@~nobody-has-this-name/x.py", ["~nobody-has-this-name/x.py"]),
    ],
)
def test_a_mistyped_file_name_is_distinguished_from_prose(tmp_path: Path, text: str, names: list[str]) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text("x")
    assert prompt_parts.missing(text, tmp_path, {"explore"}, {"frame"}) == names
    assert [part["filename"] for part in prompt_parts.mentioned(text, tmp_path, ())] in (
        [],
        ["a.py", "a.py", *["src"] * 3],
    )


@settings(deadline=None)
@given(st.text())
def test_no_text_is_too_odd_to_look_for_files_in(text: str) -> None:
    here = Path(__file__).parent
    assert prompt_parts.missing(f"@{text}", here, (), ()) is not None
    assert prompt_parts.mentioned(f"@{text}", here, ()) is not None


def test_proc_files_are_attached_as_text(tmp_path: Path) -> None:
    assert attached("/proc/self/status", tmp_path)["mime"] == "text/plain"
    assert prompt_parts.mentioned("@/proc/self/status", tmp_path, ())


def test_a_folder_is_attached_as_a_directory(tmp_path: Path) -> None:
    assert attached(".", tmp_path)["mime"] == "application/x-directory"


def test_a_file_over_the_size_limit_raises(tmp_path: Path) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.write(PNG)
        file.truncate(prompt_parts.MAX_BYTES + 1)
    for send in (lambda: attached("huge.png", tmp_path), lambda: prompt_parts.mentioned("@huge.png", tmp_path, ())):
        with pytest.raises(regular_file.TooLargeError, match=r"huge\.png is larger than 32 MB.*Nothing was sent"):
            send()


def test_a_file_that_grows_while_being_read_still_hits_the_limit(tmp_path: Path) -> None:
    place, stop = tmp_path / "grows", threading.Event()
    place.write_bytes(b"")

    def grow() -> None:
        with place.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x" * 65_536)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        while place.stat().st_size < 1_000_000:
            pass
        with pytest.raises(regular_file.TooLargeError):
            regular_file.read(place, 1_000_000)
    finally:
        stop.set()
        writer.join()
    place.write_bytes(b"short")
    assert regular_file.read(place, 1_000_000) == b"short"


def test_worktree_read_accepts_only_regular_files_within_the_limit(odd: Path) -> None:
    (odd / "a").write_bytes(b"12345")
    assert worktree.read(odd / "a", 5).read() == b"12345"  # type: ignore[union-attr]
    with pytest.raises(worktree.UnreadableError):
        worktree.read(odd / "a", 4)
    for name in ("pipe.png", "socket.png"):
        with pytest.raises(worktree.UnreadableError):
            worktree.read(odd / name)


def test_reading_an_attachment_does_not_block_the_event_loop() -> None:
    begun, may_end = threading.Event(), threading.Event()

    class Slow:
        def _repr_png_(self) -> bytes:
            begun.set()
            assert may_end.wait(30)
            return PNG

    async def send() -> list[Any]:
        reading = asyncio.create_task(prompt_parts.parts("look", images=[Slow()]))
        await asyncio.to_thread(begun.wait)  # the loop goes on meanwhile
        may_end.set()
        return await reading

    assert [part["type"] for part in asyncio.run(send())] == ["text", "file"]
