"""Tab in %%prompt and %opencode: options, models, agents, sessions, files, subcommands."""

from __future__ import annotations

import re
from argparse import Action
from collections.abc import Callable, Iterable
from pathlib import Path

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.errors import OpencodeError
from opencode_nb.magics.line import LineMagic
from opencode_nb.magics.options import MagicParser, prompt_parser
from opencode_nb.magics.workspace import Workspace

_MAGIC = re.compile(r"^\s*(%%prompt|%opencode)\b(.*)$", re.DOTALL)
_WORD = re.compile(r"(?:\\.|\S)+")
"""A word as typed: a backslash escapes a space in it."""


class Completion:
    """A matcher for the shell's completer. Queries the server only if it is running: Tab never starts it."""

    def __init__(self, workspace: Workspace, line: LineMagic) -> None:
        self._workspace = workspace
        self._line = line
        self._values: dict[str, Callable[[], Iterable[str]]] = {
            "MODEL": lambda: workspace.ai.models(),
            "AGENT": lambda: (agent["name"] for agent in workspace.ai.agents()),
            "SESSION": lambda: (info["id"] for info in workspace.ai.sessions()),
        }
        self._known: dict[str, Callable[[str], Iterable[str]]] = {
            "COMMAND": lambda _fragment: [*line.commands, "prompt"],
            "PATH": _paths,
            "INSTALLED": lambda _fragment: _installed(),
            "PROGRAM": lambda fragment: [*_installed(), *_paths(fragment)],
        }

        @context_matcher()  # type: ignore[untyped-decorator]  # IPython's own
        def matcher(context: CompletionContext) -> SimpleMatcherResult:
            return self._match(context)

        self.matcher = matcher

    def register(self, shell: InteractiveShell) -> None:
        """Add the matcher to the shell's completer."""
        shell.Completer.custom_matchers.append(self.matcher)

    def remove(self, shell: InteractiveShell) -> None:
        """Remove the matcher from the shell's completer."""
        if self.matcher in shell.Completer.custom_matchers:
            shell.Completer.custom_matchers.remove(self.matcher)

    def _match(self, context: CompletionContext) -> SimpleMatcherResult:
        found = _MAGIC.match(context.line_with_cursor[: context.cursor_position])
        if found is None or not found[2][:1].isspace():
            return {"completions": [], "suppress": False}
        words = _WORD.findall(found[2])
        fragment = "" if found[2][-1].isspace() and not found[2].endswith("\\ ") else words.pop()
        values = [value for value in self._candidates(found[1], words, fragment) if value.startswith(fragment)]
        return {
            "completions": [SimpleCompletion(value) for value in values],
            "suppress": bool(values),
            "matched_fragment": fragment,
        }

    def _candidates(self, magic: str, words: list[str], fragment: str) -> list[str]:
        if magic == "%%prompt":
            return self._options(prompt_parser(), words, fragment)
        if not words:
            return list(self._line.commands)
        command = self._line.commands.get(words[0])
        if command is None:
            return []
        return self._options(command.parser, words[1:], fragment)

    def _options(self, parser: MagicParser, words: list[str], fragment: str) -> list[str]:
        option = parser.takes(words[-1]) if words else None
        if option is not None:
            return self._of(option, fragment)
        argument = parser.positional(words)
        return parser.option_strings() + (self._of(argument, fragment) if argument and fragment[:1] != "-" else [])

    def _of(self, action: Action, fragment: str) -> list[str]:
        """Return the values an argument can take: its choices, else those its metavar stands for."""
        if action.choices is not None:
            return [str(choice) for choice in action.choices]
        kind = str(action.metavar)
        return list(self._known[kind](fragment)) if kind in self._known else self._ask(kind)

    def _ask(self, kind: str) -> list[str]:
        source = self._values.get(kind)
        if source is None or not self._workspace.running:
            return []
        try:
            return sorted(source())
        except (OpencodeError, ValueError):  # a failing server or a wrong setting: Tab is not the place to report it
            return []


def _installed() -> list[str]:
    from opencode_nb.server.binary import installed_versions

    return installed_versions()


def _paths(fragment: str) -> list[str]:
    """Return the paths that start with the fragment, with spaces escaped as in the fragment."""
    folder, _, start = fragment.replace("\\ ", " ").rpartition("/")
    try:
        found = sorted(Path(folder or ("/" if fragment.startswith("/") else ".")).expanduser().iterdir())
    except OSError:
        return []
    prefix = f"{folder}/" if folder or fragment.startswith("/") else ""
    shown = [path for path in found if path.name.startswith(start) and (start or not path.name.startswith("."))]
    return [f"{prefix}{path.name}{'/' if path.is_dir() else ''}".replace(" ", "\\ ") for path in shown]
