"""Convert a prompt's text, files and images to the server's part inputs. Pure except for reading files.

Files are read in a worker thread, so that a slow disk does not block other sessions.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencode_nb.changes import regular_file
from opencode_nb.closest import did_you_mean
from opencode_nb.prose import without_code
from opencode_nb.session.prompt import file_names, media
from opencode_nb.tools.names import NOTE_KIND
from opencode_nb.transcript.state import Json, Message

Mentions = Callable[[str], Awaitable[list[Json]]]
"""Returns the parts for mentions that only the caller can resolve, such as a kernel's variables."""

_RANGE = re.compile(r"^(?P<path>.+?):(?P<start>\d+)(?:-(?P<end>\d+))?$")
_MENTION = re.compile(
    r"""(?:^|(?<=[\s(\[{]))@"(?P<quoted>[^\s"][^"\n]*)" | (?:^|(?<=[\s(\[{"']))@(?P<plain>[^\s@"][^\s@]*)""", re.VERBOSE
)
_PUNCTUATION = ".,;:!?)]}\"'"

_LINK = re.compile(r"https?://\S+", re.IGNORECASE)

_SMALLER = "Attach a smaller one. Nothing was sent."

MAX_BYTES = 32_000_000
"""Size limit for inline media: providers accept less, and each goes into a message whole."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file for a prompt that need not exist on a disk: for `files=`, or among the texts of a prompt.

    `name` is what the model and the turn call it; `mime` is such as "application/pdf" or "text/csv"; `data` are its
    bytes, or its text. What is text by its bytes is sent as text, whatever its type. Raises TypeError for other data.
    """

    name: str
    mime: str
    data: bytes | str

    def __post_init__(self) -> None:
        if not isinstance(self.data, (bytes, bytearray, str)):
            raise TypeError(f"The data of an Attachment must be bytes or a str, not {type(self.data).__name__}.")

    def part(self) -> Json:
        """Return it as a part of a prompt. Raises TooLargeError."""
        data = self.data.encode() if isinstance(self.data, str) else bytes(self.data)
        if len(data) > MAX_BYTES:
            raise regular_file.TooLargeError(f"{self.name} is too large: {_SMALLER}")
        mime = media.mime(self.name, data, self.mime)
        return _inline(self.name, mime, media.as_utf8(data) if mime == media.TEXT else data)


Prompt = str | Sequence[str | Attachment]
"""A text, or a list of texts and attachments, which the model gets in this order."""


def check_text(text: Any, what: str = "A prompt") -> None:
    """Raise TypeError for anything but a str: the server would accept it and fail later."""
    if not isinstance(text, str):
        step = "Pass files and images as files= and images=."
        raise TypeError(f"{what} must be a str, not {type(text).__name__}. {step}")


async def parts(
    prompt: Prompt, files: Iterable[Any] = (), images: Iterable[Any] = (), directory: Path | None = None
) -> list[Json]:
    """Return the parts of one prompt, its blocks in their order, then the files and images.

    Raises OSError (no such file, not a regular file, too large), TypeError or ValueError before anything is sent.
    """
    said = [_block_part(block) for block in blocks(prompt)]
    attached = await file_parts(files, directory)
    attached += [await asyncio.to_thread(image_part, image, directory) for image in images]
    return [*said, *attached]


def blocks(prompt: Prompt) -> list[str | Attachment]:
    """Return the blocks of a prompt. Raises TypeError for anything but texts and Attachments, ValueError for none."""
    if not isinstance(prompt, (list, tuple)):
        check_text(prompt)
        return [str(prompt)]
    for block in prompt:
        if not isinstance(block, (str, Attachment)):
            step = "Pass paths, figures and images as files= and images=."
            raise TypeError(f"A block of a prompt must be a str or an Attachment, not {type(block).__name__}. {step}")
    if not prompt:
        raise ValueError("The prompt has no blocks: give at least a text.")
    return list(prompt)


def text_of(prompt: Prompt) -> str:
    """Return a prompt's texts, joined by a blank line."""
    return "\n\n".join(block for block in blocks(prompt) if isinstance(block, str))


def _block_part(block: str | Attachment) -> Json:
    return {"type": "text", "text": block} if isinstance(block, str) else file_part(block)


async def file_parts(files: Iterable[Any], directory: Path | None = None) -> list[Json]:
    """Return the file parts of a prompt or command. Raises the errors of `parts`."""
    return [await asyncio.to_thread(file_part, file, directory) for file in files]


def mentioned(text: str, directory: Path, agents: Collection[str]) -> list[Json]:
    """Return the parts for a text's mentions: agents as `@name`, existing files and directories as `@path`.

    A name with spaces must be quoted: `@"my data.csv"`. Raises TooLargeError for a file that is too large to send.
    """
    found: dict[str, Json] = {}
    for match in _MENTION.finditer(text):
        name = _name(match)
        if name in agents:
            value = match[0] if match["quoted"] else f"@{name}"
            source = {"value": value, "start": match.start(), "end": match.start() + len(value)}
            found.setdefault(name, {"type": "agent", "name": name, "source": source})
        elif name and _exists(name, directory):
            try:
                found.setdefault(name, file_part(name, directory))
            except regular_file.TooLargeError:
                raise
            except OSError:  # not a file that can be read: leave it as an ordinary word
                continue
    return list(found.values())


def missing(text: str, directory: Path, agents: Collection[str], variables: Collection[str]) -> list[str]:
    """Return the mentions that were meant as files that do not exist, and as no attribute of these variables.

    Leaves out code, whose `@` means something else: between backticks, after a quote or an opening bracket.
    """
    prose = without_code(text)
    names = dict.fromkeys(_name(found) for found in _MENTION.finditer(prose) if _in_prose(prose, found.start()))
    unknown = [name for name in names if name not in agents and name.partition(".")[0] not in variables]
    return [name for name in unknown if file_names.is_meant(name, directory) and not _exists(name, directory)]


def _in_prose(text: str, start: int) -> bool:
    before = text[max(start - 1, 0) : start]
    return before in ("", "(") or before.isspace()


def _exists(name: str, directory: Path) -> bool:
    try:
        return _found(name, directory) is not None
    except (OSError, ValueError, RuntimeError):  # too long or unfit for a name, or the home of an unknown user
        return False


def variables(parts: Iterable[Json]) -> set[str]:
    """Return the names of the kernel's variables that these parts describe."""
    told = ((part.get("metadata") or {}).get("opencode_nb") or {} for part in parts)
    return {str(one["variable"]) for one in told if "variable" in one}


def is_note(part: Json) -> bool:
    """Whether a part tells what changed in the kernel, mentioned or not."""
    return ((part.get("metadata") or {}).get("opencode_nb") or {}).get("kind") == NOTE_KIND


def as_files(parts: Iterable[Json]) -> list[Json]:
    """Return parts that describe values as file parts, named after the values: a command takes no others."""
    return [part if part["type"] == "file" else _text_file(part) for part in parts]


def _text_file(part: Json) -> Json:
    return Attachment(part["metadata"]["opencode_nb"]["variable"], media.TEXT, part["text"]).part()


def mention(name: str) -> str:
    """Return the mention that parses back to this name: `@name` or `@"name"`, or "" if there is none."""
    for text in (f"@{name}", f'@"{name}"'):
        match = _MENTION.fullmatch(text)
        if match is not None and _name(match) == name:
            return text
    return ""


def _name(match: re.Match[str]) -> str:
    return match["quoted"] or match["plain"].rstrip(_PUNCTUATION)


def again(prompt: Message) -> list[Json]:
    """Return the parts that send a prompt once more, with its files and variables; the server adds its own again."""
    return [
        {name: value for name, value in part.items() if name not in ("id", "messageID", "sessionID")}
        for part in list(prompt.parts.values())
        if not part.get("synthetic") or "opencode_nb" in (part.get("metadata") or {})
    ]


def file_part(file: str | Path | Attachment | Json, directory: Path | None = None) -> Json:
    """Return a file part for `path`, `path:12` or `path:12-40` (lines, 1-based, inclusive), or for a directory.

    Also takes an Attachment; a dict is already a part and returned as it is. Relative paths start at `directory`.
    Text and directories are sent as file:// URLs for the server to read, other files inline. An http(s) link is sent as
    text, for the agent to fetch: the server does not, and drops it or fails.
    """
    if isinstance(file, dict):
        return file
    if isinstance(file, Attachment):
        return file.part()
    if isinstance(file, str) and _LINK.fullmatch(file):
        return {"type": "text", "text": file}
    path, query = _locate(str(file), directory or Path.cwd())
    if path.is_dir():
        return _file(path, "application/x-directory", path.as_uri())
    mime = media.mime(path.name, _read(regular_file.head, path))
    if mime == media.TEXT:
        return _file(path, mime, path.as_uri() + query)
    return _inline(path.name, mime, _read(regular_file.read, path, MAX_BYTES))


def _read(read: Callable[..., bytes], path: Path, *limit: int) -> bytes:
    try:
        return read(path, *limit)
    except regular_file.NotRegularError as error:
        raise regular_file.NotRegularError(f"{error} Copy its contents to a regular file. Nothing was sent.") from None
    except regular_file.TooLargeError as error:
        raise regular_file.TooLargeError(f"{error} {_SMALLER}") from None


def _inline(name: str, mime: str, data: bytes) -> Json:
    url = f"data:{mime};base64,{base64.b64encode(data).decode()}"
    return {"type": "file", "mime": mime, "filename": name, "url": url}


def image_part(image: Any, directory: Path | None = None) -> Json:
    """Return an image part for a path, bytes (PNG, JPEG, GIF, WebP), a figure (`_repr_png_` or `savefig`).

    Also takes what `file_part` does.
    """
    if isinstance(image, (str, Path, Attachment)):
        return file_part(image, directory)
    data = bytes(image if isinstance(image, (bytes, bytearray)) else _png_of(image))
    mime = media.picture(data)
    if mime is None:
        raise TypeError("These bytes are not an image. Give a PNG, JPEG, GIF or WebP.")
    return _inline(f"image.{mime.split('/')[1]}", mime, data)


def _locate(text: str, directory: Path) -> tuple[Path, str]:
    found = _found(text, directory)
    if found is None:
        meant = _beside(directory / text)
        raise FileNotFoundError(f"No such file: {text} (looked in {directory}).{meant} Nothing was sent.")
    return found


def _found(text: str, directory: Path) -> tuple[Path, str] | None:
    """Return an existing path and the query for its lines, or None."""
    plain = (directory / Path(text).expanduser()).resolve()
    if plain.exists():
        return plain, ""
    match = _RANGE.match(text)
    path = (directory / Path(match["path"]).expanduser()).resolve() if match else plain
    if match is None or not path.exists():
        return None
    return path, f"?start={match['start']}&end={match['end'] or match['start']}"


def _beside(path: Path) -> str:
    """Suggest files of the same folder for a path that does not exist."""
    try:
        return did_you_mean(path.name, [found.name for found in path.parent.iterdir()])
    except OSError:  # the folder does not exist either
        return ""


def _file(path: Path, mime: str, url: str) -> Json:
    return {"type": "file", "mime": mime, "filename": path.name, "url": url}


def _png_of(image: Any) -> bytes:
    if callable(getattr(image, "savefig", None)):
        from io import BytesIO

        buffer = BytesIO()
        image.savefig(buffer, format="png")
        return buffer.getvalue()
    png = image._repr_png_() if callable(getattr(image, "_repr_png_", None)) else None
    if isinstance(png, tuple):
        png = png[0]
    if isinstance(png, str):
        png = base64.b64decode(png)
    if not isinstance(png, bytes):
        raise TypeError(
            f"{type(image).__name__} is not an image: give a path, bytes, or an object with _repr_png_ or savefig."
        )
    return png
