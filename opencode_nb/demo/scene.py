"""Read a request to the model: the last prompt, the step of the turn, the tool results, the attachments.

Reads one chat-completions request body and keeps no state between requests, so that any number of sessions can run at
once. The format is OpenCode's use of OpenAI's chat completions.
"""

from __future__ import annotations

import base64
import json
import posixpath
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

Json = dict[str, Any]

TITLE_AGENT = "You are a title generator"
CARRIED_MEDIA = "Attached media from tool result:"
"""Start of the user message with which OpenCode forwards an image read by a tool."""
_TAGGED = re.compile(r"\s*<([\w-]+)[^>]*>.*</\1>\s*", re.DOTALL)
_READ_NOTE = re.compile(r"Called the \w+ tool with the following input:")
_DIRECTORY = re.compile(r"^\s*Working directory: (.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Scene:
    """One request. `attempt` counts earlier refusals of the same request (for rate limits)."""

    body: Json
    attempt: int = 0

    @property
    def messages(self) -> list[Json]:
        """The request's messages, system prompt first."""
        return list(self.body.get("messages") or [])

    @cached_property
    def system(self) -> str:
        """The system prompt."""
        return "\n".join(text for m in self.messages if m["role"] == "system" for text in texts(m))

    @property
    def is_title(self) -> bool:
        """Whether the request asks for the session's title."""
        return not self.body.get("tools") and self.system.startswith(TITLE_AGENT)

    @cached_property
    def tools(self) -> dict[str, Json]:
        """The offered tools: JSON schema of the parameters by tool name."""
        functions = [tool["function"] for tool in self.body.get("tools") or []]
        return {function["name"]: function.get("parameters") or {} for function in functions}

    def offered(self, pattern: str) -> str | None:
        """Return the offered tool whose name matches a pattern, None if none does."""
        return next((name for name in self.tools if fnmatchcase(name, pattern)), None)

    @cached_property
    def directory(self) -> str:
        """The session's working directory, as the system prompt states it; empty if it does not."""
        found = _DIRECTORY.search(self.system)
        return found[1] if found else ""

    @cached_property
    def turn(self) -> list[Json]:
        """The last prompt and what followed it: assistant and tool messages of this turn."""
        starts = [i for i, m in enumerate(self.messages) if m["role"] == "user" and not _carried(m)]
        return self.messages[starts[-1] :] if starts else []

    @property
    def spoken(self) -> list[str]:
        """All texts of the last prompt, including those added by the server and its clients."""
        return texts(self.turn[0]) if self.turn else []

    @cached_property
    def prompt(self) -> str:
        """The user's own words: no text wholly in a tag (`<context>...</context>`), no contents of attached files."""
        notes = [bool(_READ_NOTE.match(text)) for text in self.spoken]
        own = [
            text
            for text, is_note, after_note in zip(self.spoken, notes, [False, *notes], strict=False)
            if not (is_note or after_note or _TAGGED.fullmatch(text))
        ]
        return "\n".join(own).strip()

    @property
    def step(self) -> int:
        """The number of earlier answers with tool calls in this turn."""
        return sum(1 for m in self.turn if m["role"] == "assistant" and m.get("tool_calls"))

    @property
    def results(self) -> list[str]:
        """The results of the turn's tools, in order."""
        return ["\n".join(texts(m)) for m in self.turn if m["role"] == "tool"]

    @property
    def calls(self) -> list[Json]:
        """The turn's tool calls so far, `{name, arguments}`, in order."""
        return [call["function"] for m in self.turn for call in m.get("tool_calls") or []]

    @property
    def attachments(self) -> list[Attachment]:
        """Images and files from the prompt or its tools."""
        parts = [part for m in self.turn if isinstance(m.get("content"), list) for part in m["content"]]
        return [found for part in parts if (found := Attachment.read(part))]

    def path(self, name: str) -> str:
        """Return the absolute path of a file named in a prompt."""
        return posixpath.normpath(posixpath.join(self.directory, name))


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment: media type, file name if known, bytes if sent."""

    mime: str
    name: str = ""
    data: bytes = field(default=b"", repr=False)

    @classmethod
    def read(cls, part: Json) -> Attachment | None:
        """Return the attachment in a message part; None for text."""
        if part.get("type") == "image_url":
            return cls._from_url(part["image_url"]["url"])
        if part.get("type") == "file":
            return cls._from_url(part["file"].get("file_data", ""), part["file"].get("filename", ""))
        if part.get("type") == "input_audio":
            return cls(f"audio/{part['input_audio'].get('format', '')}")
        return None

    @classmethod
    def _from_url(cls, url: str, name: str = "") -> Attachment:
        head, _, payload = url.partition(";base64,")
        if not payload:
            return cls("a link", name or url)
        return cls(head.removeprefix("data:"), name, base64.b64decode(payload))

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels of a PNG; None for anything else."""
        if not self.data.startswith(b"\x89PNG\r\n\x1a\n"):
            return None
        return int.from_bytes(self.data[16:20], "big"), int.from_bytes(self.data[20:24], "big")


def texts(message: Json) -> list[str]:
    """Return the texts of a message, whose content is a string or a list of parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return [content] if content else []
    return [part["text"] for part in content if part.get("type") == "text"]


def estimate_tokens(value: Any) -> int:
    """Estimate the tokens of a text or JSON value, at four characters each."""
    data = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return max(1, len(data) // 4)


def _carried(message: Json) -> bool:
    found = texts(message)
    return bool(found) and found[0].startswith(CARRIED_MEDIA)
