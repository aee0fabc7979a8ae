"""The notebook's own Opencode and its current session, shared by the magics."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb import portal
from opencode_nb.closest import did_you_mean
from opencode_nb.errors import OpencodeError
from opencode_nb.kernel import notebook
from opencode_nb.kernel.defaults import set_defaults
from opencode_nb.magics.settings import OpencodeMagics
from opencode_nb.tools import privacy
from opencode_nb.transcript.state import is_archived

if TYPE_CHECKING:
    from opencode_nb.session.blocking import Opencode, Session

PASSWORD = "OPENCODE_SERVER_PASSWORD"  # noqa: S105  # a variable's name
"""The environment variable with the password of an existing server; OpenCode itself reads the same one."""

PREFERENCES = ("model", "agent", "variant", "effort", "permission", "timeout", "max_cost", "max_steps")
"""The options that take effect with the next prompt; the others need a new start."""

OWN_SERVER = ("binary", "demo", "shared", "acp")
"""The options of %opencode start that ask for what is started here, even if a base_url is configured."""

OF_SERVER = ("model", "agent", "variant", "effort", "binary", "shared", "replay")
"""Settings that are about the server, and not about agents of the Agent Client Protocol."""


class Workspace:
    """Holds one Opencode, created on first use, and the session that prompts go to.

    Options of %opencode start take precedence over `settings`, and those over the environment.
    """

    def __init__(self, settings: OpencodeMagics | None = None, *, agent: list[str] | None = None) -> None:
        self.settings = settings or OpencodeMagics()
        self.of_notebook = agent is None
        """Whether its session is the notebook's, to continue in a fresh kernel; not for a named agent."""
        self._agents: dict[str, Workspace] = {}
        self._session: Session | None = None
        self._had_session = not self.of_notebook
        self._unasked: list[Session] = []  # created for a view, not for a prompt
        self.announced = False
        self._ai: Opencode | None = None
        self._made_with: dict[str, Any] = {}
        self._started_with: dict[str, Any] = {} if agent is None else {"acp": agent}
        self._starting: Future[Any] | None = None

    @property
    def session(self) -> Session | None:
        """The session that prompts go to; None before the first one and after it was deleted."""
        if self._session is not None and self._session._async.transcript.deleted:
            self._session = None
        return self._session

    @session.setter
    def session(self, session: Session | None) -> None:
        self._session = session
        self._had_session = self._had_session or session is not None

    def previous(self) -> Session | None:
        """Return the session that this notebook used before its kernel was started; None if there is none to continue.

        There is one only as long as this workspace has had none, and only once. It was not deleted or archived, and
        belongs to the directory that the agent works in. Raises OpencodeError if the server does not start.
        """
        if self._had_session or self.ai.recording or (session_id := notebook.last_session()) is None:
            return None
        ai = self.ai.start()
        self._had_session = True
        try:
            info = ai.find_session(session_id)
        except OpencodeError:  # it was deleted
            return None
        elsewhere = str(info.get("directory") or ai.directory) != str(ai.directory)
        return None if elsewhere or is_archived(info) else ai.session(id=session_id)

    @property
    def options(self) -> dict[str, Any]:
        """The current settings, by their names in `Opencode`. Raises ValueError for an invalid environment variable."""
        options = self.settings.options()
        if "acp" in self._started_with:
            options = {name: value for name, value in options.items() if name not in OF_SERVER}
        options |= self._started_with
        if any(name in self._started_with for name in OWN_SERVER):
            options.pop("base_url", None)
        return options

    @property
    def ai(self) -> Opencode:
        """The notebook's Opencode, with the current preferences; not started until needed."""
        options = self.options
        if self._ai is None or (options != self._made_with and not self._used):
            self.stop()  # Tab may be starting it
            self._ai, self._made_with = _opencode(options), options
        elif changed := {name for name in PREFERENCES if options.get(name) != self._made_with.get(name)}:
            self._ai.prefer(**{name: options.get(name) for name in PREFERENCES})
            self._made_with |= {name: options.get(name) for name in changed}
            self.announced = False
        return self._ai

    def prefer(self, **choice: Any) -> None:
        """Set options of `PREFERENCES` for the next prompts, as %opencode start does; None resets one."""
        kept = {name: value for name, value in self._started_with.items() if name not in choice}
        self._started_with = kept | {name: value for name, value in choice.items() if value is not None}

    def origin(self, name: str) -> str:
        """Return in words what sets an option for new sessions; "" if nothing does."""
        return "your choice" if name in self._started_with else self.settings.origin(name)

    @property
    def _used(self) -> bool:
        return self.session is not None or self.running

    def configure(self, **options: Any) -> Opencode:
        """Switch to a new Opencode with these options and stop the old one. Raises ValueError, changing nothing."""
        with self.renewed(**options) as ai:
            return ai

    @contextmanager
    def renewed(self, **options: Any) -> Iterator[Opencode]:
        """Yield a new `Opencode` with these options; after the body, switch to it and stop the old one.

        If the body raises, nothing changes. Raises ValueError for invalid options.
        """
        before, self._started_with = self._started_with, options
        ai: Opencode | None = None
        try:
            ai, made_with = _opencode(self.options), self.options
            yield ai
        except BaseException:
            self._started_with = before
            if ai is not None:
                ai.close()
            raise
        self._discard_unused()
        self.stop()
        self.session, self.announced, self._ai, self._made_with = None, False, ai, made_with

    def current(self, *, new: bool = False) -> Session:
        """Return the current session, or create one; an unused one is deleted when this workspace closes."""
        if self.session is None or new:
            self.session = self.ai.session()
            self._unasked.append(self.session)
            atexit.register(self._discard_unused)
        return self.session

    def _discard_unused(self) -> None:
        """Delete the sessions that were created for a view, if they were never used."""
        atexit.unregister(self._discard_unused)
        if self._unasked and self.running:
            from opencode_nb.session.blocking import discard

            for session in self._unasked:
                discard(session)
        self._unasked.clear()

    def new(self, title: str | None = None) -> Session:
        """Create a session and make it current."""
        self.session = self.ai.session(title)
        return self.session

    def use(self, wanted: str) -> Session:
        """Make the session with this id, start of an id, or title current. Raises OpencodeError."""
        self.session = self.find(wanted)
        return self.session

    def find(self, wanted: str) -> Session:
        """Return the session with this id, start of an id, or title. Raises OpencodeError.

        Also raises it for a session of another directory: its events go to another stream and would not arrive here.
        """
        info = self.ai.find_session(wanted)
        directory = str(info.get("directory") or self.ai.directory)
        if directory != str(self.ai.directory):
            raise OpencodeError(
                f"That session belongs to {directory}: switch to it with %opencode start -d {directory}."
            )
        return self.ai.session(id=info["id"])

    def for_prompt(self, wanted: str | None = None, *, new: bool = False) -> AbstractContextManager[Session]:
        """Return a context with the session to prompt; a session created for it is deleted if nothing was sent.

        The caller makes it current after sending, so that a prompt that cannot be sent changes nothing. Raises
        OpencodeError.
        """
        from opencode_nb.session.blocking import session_for_prompt

        session = self.find(wanted) if wanted else None if new else self.session
        return session_for_prompt(self.ai, session)

    def command_of(self, words: Sequence[str]) -> list[str]:
        """Return the command of an agent: the words, or what they name in the settings."""
        return list(self.settings.agents.get(words[0], words)) if len(words) == 1 else list(words)

    def of_agent(self, name: str | None) -> Workspace:
        """Return the workspace of an agent that the settings name, made on first use; this one without a name.

        It has sessions of its own, and ends with this one. Raises OpencodeError if the settings name no such agent.
        """
        if name is None:
            return self
        known = self.settings.agents
        if name not in known:
            meant = did_you_mean(name, known) if known else ""
            raise OpencodeError(f"OpencodeMagics.agents names no agent {name!r}.{meant} {_NAMING}")
        command = self.command_of([name])
        if self._started_with.get("acp") == command:
            return self
        there = self._agents.get(name)
        if there is None or there._started_with["acp"] != command:
            if there is not None:
                there.close()
            there = self._agents[name] = Workspace(self.settings, agent=command)
        return there

    def replay(self, path: str) -> Session:
        """Return the session that plays a recording, besides the current one. Raises OpencodeError for a bad file."""
        from opencode_nb.session.blocking import player

        return player(self.ai, path)

    def stop(self) -> None:
        """Stop the server, if one runs. Keep options and session: the next prompt continues with them."""
        if self._ai is not None:
            self._ai.close()

    def close(self) -> None:
        """Stop the server and reset this workspace; sessions that were used stay in the server's store."""
        for agent in self._agents.values():
            agent.close()
        self._agents.clear()
        self._discard_unused()
        self.stop()
        self._ai, self.session, self.announced, self._started_with = None, None, False, {}

    @property
    def running(self) -> bool:
        """Whether there is a live connection to a server."""
        return self._ai is not None and self._ai.started

    def begin_start(self) -> None:
        """Begin to start the server, unless it runs; return at once. Raises ValueError for wrong options."""
        if not self.running and (self._starting is None or self._starting.done()):
            self._starting = portal.start(self.ai._async.start)

    @property
    def starting(self) -> bool:
        """Whether `wait_until_started` has something to wait for, or to raise."""
        return self._starting is not None

    def wait_until_started(self) -> None:
        """Wait for the start that was begun; an interrupt ends it. Raises OpencodeError if it fails."""
        starting, self._starting = self._starting, None
        if starting is None:
            return
        try:
            portal.result_of(starting)
        finally:
            starting.cancel()

    @property
    def busy(self) -> bool:
        """Whether a turn runs in the current session."""
        return self.session is not None and self.session.busy


_places: WeakKeyDictionary[object, Workspace] = WeakKeyDictionary()


def workspace_of(shell: InteractiveShell | None) -> Workspace:
    """Return the notebook's workspace, created on first use, whether the magics are loaded or not.

    Without a shell, as in marimo, return that of the thread: a marimo app has one thread per visitor.
    """
    place = threading.current_thread() if shell is None else shell
    if place not in _places:
        settings = OpencodeMagics() if shell is None else OpencodeMagics.of(shell.config)
        _places[place] = Workspace(settings)
        set_defaults(lambda: settings.uses_kernel, lambda: settings.place_of_code)
        privacy.set_defaults(lambda: settings.privacy_level, _known_secrets)
    return _places[place]


def forget(shell: InteractiveShell) -> None:
    """Close and drop the workspace of a shell."""
    from opencode_nb.kernel import offer  # it loads what describes values

    if workspace := _places.pop(shell, None):
        workspace.close()
        privacy.set_defaults()
    offer.forget(shell)


def _known_secrets() -> Iterable[str]:
    from opencode_nb.kernel.context.session_context import known_secrets_here  # it loads what describes values

    return known_secrets_here()


_NAMING = 'Name one: %config OpencodeMagics.agents = {"qwen": ["qwen", "--acp"]}'


def _opencode(options: dict[str, Any]) -> Opencode:
    """Create an Opencode with these options; for an existing server, read the password from the environment.

    `acp` is the command of an agent to use in the server's place, () for `opencode acp`.
    """
    from opencode_nb.session.blocking import Opencode  # it loads most of the package

    if "acp" in options:
        from opencode_nb.acp.agent import AcpAgent

        agent = AcpAgent(options["acp"] or None, cwd=options.get("directory"))
        agent.prefer(**{name: options[name] for name in PREFERENCES if name in options})
        return agent
    joined: dict[str, Any] = {"password": os.environ.get(PASSWORD)} if "base_url" in options else {}
    return Opencode(**(joined | options))


def own_workspace() -> Workspace | None:
    """Return the workspace of the notebook or IPython that this code runs in; None outside of one."""
    shell = get_ipython()
    return None if shell is None else workspace_of(shell)
