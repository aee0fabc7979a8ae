"""The dialogue of `opencode-nb ask -i`: prompt after prompt. Ctrl-C stops a turn, not the dialogue."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

import platformdirs
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from opencode_nb.cli.ending import Ended
from opencode_nb.errors import OpencodeError
from opencode_nb.session import export
from opencode_nb.session.blocking import Opencode, Session, discard, session_for_prompt
from opencode_nb.session.blocking_compose import act, read
from opencode_nb.session.prompt.command import Result
from opencode_nb.session.prompt.commands import Said
from opencode_nb.session.turn import Turn

KEYS = """\
/exit ends the dialogue, as Ctrl-D does. Ctrl-C stops a turn and keeps its partial output. !COMMAND runs a shell
command, whose output the agent sees with the next prompt. @PATH attaches a file, @AGENT asks an agent. Up and down
recall earlier prompts, Tab completes commands, files and agents; you can paste several lines."""

_EXITS = ("exit", "quit", "q")

TakeTurn = Callable[[Session, Said], Turn]


class Dialogue:
    """A dialogue in `session`, None for a new one; `turn` sends a prompt or a server's command and shows the turn.

    A new session is created with its first prompt or command; one in which nothing was sent is deleted again.
    """

    def __init__(self, ai: Opencode, session: Session | None, turn: TakeTurn) -> None:
        self._ai, self._session, self._turn = ai, session, turn
        self._made: Session | None = None  # by this dialogue, and perhaps never used
        self._prompts: PromptSession[str] = PromptSession(
            history=_history(), completer=_Words(ai), complete_while_typing=False, complete_in_thread=True
        )

    def run(self, prompt: str) -> int:
        """Run until the user ends it, starting with `prompt` unless empty; return the exit code."""
        print(
            f"OpenCode {self._ai.version} in {self._ai.directory}. /help lists the commands, Ctrl-D ends the dialogue."
        )
        try:
            return self._talk(prompt)
        finally:
            self._discard_unused()

    def _talk(self, prompt: str) -> int:
        while True:
            if prompt and not self._answer(prompt):
                return 0
            try:
                prompt = self._prompts.prompt("> ").strip()
            except EOFError:
                return 0
            except Ended:
                raise
            except KeyboardInterrupt:  # Ctrl-C at the prompt gives an empty one
                prompt = ""

    def _answer(self, prompt: str) -> bool:
        """Run the line. Return False if it ends the dialogue."""
        if prompt.startswith("/") and prompt[1:] in _EXITS:
            return False
        try:
            said = self._read(prompt)
            if said.kind == "own":
                self._carry_out(said)
            else:
                self._take_turn(said)
        except Ended:
            raise
        except KeyboardInterrupt:  # the turn was stopped
            pass
        except (OpencodeError, OSError, ValueError) as error:
            print(f"opencode-nb: {error}")
        return True

    def _read(self, prompt: str) -> Said:
        """Return what the line means. Raises OpencodeError for a command that does not exist."""
        if not prompt.startswith("!"):
            return read(self._ai, prompt)
        command = prompt[1:].strip()
        if not command:
            raise OpencodeError("Write a shell command after the !, such as !git status.")
        return Said("shell", command)

    def _take_turn(self, said: Said) -> None:
        with session_for_prompt(self._ai, self._session) as session:
            try:
                self._turn(session, said)
            finally:
                if session.turns():  # also after a stopped turn
                    self._session = session

    # -- commands of ours ----------------------------------------------------------------------------------------------

    def _carry_out(self, said: Said) -> None:
        if self._session is None:
            self._session = self._made = self._ai.session()
        result = act(self._session, said)
        if result.session:
            self._discard_unused()
            self._session = self._made = result.session
        _show(result)
        if said.name == "help":
            print(KEYS)

    def _discard_unused(self) -> None:
        if self._made is not None:
            discard(self._made)
        self._made = None


def _show(result: Result) -> None:
    if result.diff is not None:
        from rich.console import Console

        Console().print(result.diff)
    elif result.file is not None:
        print(f"Written: {export.save(result.file)}")
    else:
        print(result.text)


class _Words(Completer):
    """Completes slash commands, with their descriptions, and mentioned files and agents."""

    def __init__(self, ai: Opencode) -> None:
        self._ai = ai

    def get_completions(self, document: Document, _event: CompleteEvent) -> Iterable[Completion]:
        """Yield what the word before the cursor can become."""
        text = document.text_before_cursor
        if text.startswith("!"):
            return
        with contextlib.suppress(OpencodeError):  # a failing server: Tab is not the place to report it
            for one in self._ai.complete(text):
                yield Completion(one.insert, one.start - one.end, one.label, display_meta=one.detail)
        if text and "/exit".startswith(text):
            yield Completion("/exit", -len(text), display_meta="End the dialogue")


class _KeptHistory(FileHistory):
    """Keeps prompts in a file; on a write error (a full disk), only in this dialogue."""

    def store_string(self, string: str) -> None:
        """Append a prompt."""
        with contextlib.suppress(OSError):
            super().store_string(string)


def _history() -> History:
    """Return the prompts of earlier dialogues, in a file only the user can read."""
    file = Path(platformdirs.user_state_dir("opencode-nb", appauthor=False)) / "prompts"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
    except OSError:  # a read-only home
        return InMemoryHistory()
    return _KeptHistory(file)
