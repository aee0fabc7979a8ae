"""The dialogue of `opencode-nb ask -i`: prompt after prompt. Ctrl-C stops a turn, not the dialogue."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import platformdirs
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from opencode_nb.cli.ending import Ended
from opencode_nb.errors import OpencodeError
from opencode_nb.session.blocking import Opencode, Session, session_for_prompt
from opencode_nb.session.turn import Turn

HELP = """\
/new            start a new session
/model          list the models; /model PROVIDER/MODEL switches to another one
/exit           end the dialogue, as Ctrl-D does
Ctrl-C stops a turn and keeps its partial output. Up and down recall earlier prompts; you can paste several lines."""

_COMMAND = re.compile(r"/(\w*)(?:\s+(.*))?$")
_SHOWN_MODELS = 30

TakeTurn = Callable[[Session, str, str | None], Turn]


class Dialogue:
    """A dialogue in `session`, None for a new one; `turn` sends a prompt to a model and shows the turn.

    A new session is created with its first prompt.
    """

    def __init__(self, ai: Opencode, session: Session | None, turn: TakeTurn) -> None:
        self._ai, self._session, self._turn = ai, session, turn
        self._chosen: str | None = None
        self._commands: dict[str, Callable[[str], None]] = {"new": self._new, "model": self._model, "help": self._help}
        words = [f"/{name}" for name in (*self._commands, "exit")]
        self._prompts: PromptSession[str] = PromptSession(
            history=_history(), completer=WordCompleter(words, sentence=True), complete_while_typing=False
        )

    def run(self, prompt: str) -> int:
        """Run until the user ends it, starting with `prompt` unless empty; return the exit code."""
        print(
            f"OpenCode {self._ai.version} in {self._ai.directory}. /help lists the commands, Ctrl-D ends the dialogue."
        )
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
        command = _COMMAND.match(prompt)
        if command and command[1] == "exit":
            return False
        try:
            if command:
                self._commands.get(command[1], self._unknown)(command[2] or "")
            else:
                self._take_turn(prompt)
        except Ended:
            raise
        except KeyboardInterrupt:  # the turn was stopped
            pass
        except (OpencodeError, ValueError) as error:
            print(f"opencode-nb: {error}")
        return True

    def _take_turn(self, prompt: str) -> None:
        with session_for_prompt(self._ai, self._session) as session:
            try:
                self._turn(session, prompt, self._chosen)
            finally:
                if session.turns():  # also after a stopped turn
                    self._session = session

    def _new(self, _rest: str) -> None:
        self._session = None
        print("Started a new session.")

    def _model(self, name: str) -> None:
        if name:
            self._chosen = self._ai.model_choice(name).model
            print(f"Model: {self._chosen} from now on.")
            return
        models = self._ai.models()
        more = f"\n… and {len(models) - _SHOWN_MODELS} more" if len(models) > _SHOWN_MODELS else ""
        print("\n".join(models[:_SHOWN_MODELS]) + more)

    def _help(self, _rest: str) -> None:
        print(HELP)

    def _unknown(self, _rest: str) -> None:
        print("Unknown command. The commands are:")
        print(HELP)


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
