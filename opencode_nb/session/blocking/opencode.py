"""The blocking face of a server's sessions."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from opencode_nb.portal import run
from opencode_nb.session.blocking.connection import Connection
from opencode_nb.session.blocking.session import Session, discard
from opencode_nb.session.derived import with_options_of
from opencode_nb.session.opencode import AsyncOpencode
from opencode_nb.session.permissions.policy import PermissionOption
from opencode_nb.session.prompt.parts import Prompt
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.updates import Update


class Opencode(Connection):
    """An OpenCode server and its sessions in one directory. Close it, or use it as a context manager.

    Connects to the server at `base_url`, or else joins or starts one on first use: with `shared=True` the one that this
    user's processes share (see `serve`), otherwise one of its own. `demo=True` starts its own server with the scripted
    demo model, which is not an AI.
    `permission` decides the agent's permission requests: "ask", "edits", "plan", "allow", "deny",
    {tool: rule or {pattern: rule}}, or a callable. `model` is "provider/model" or "provider/model/variant"; `effort` is
    "none", "low", "medium", "high" or "max", for the nearest variant that the model has. `timeout` (seconds),
    `max_cost` (USD), `max_tokens`, `max_steps` (of the model) and `max_tools` (steps that call tools) limit each turn;
    `budget` limits all turns together, see `Budget`. `retry` sends failed prompts again, see `Retry`. The other
    options are those of `AsyncOpencode`.
    """

    @with_options_of(AsyncOpencode)
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._async.blocking = lambda session: Session(session, self)

    def session(
        self,
        title: str | None = None,
        *,
        id: str | None = None,
        parent: str | None = None,
        model: str | None = None,
        agent: str | None = None,
        variant: str | None = None,
        effort: str | None = None,
        permission: PermissionOption | None = None,
    ) -> Session:
        """Create a session, or open the one with this `id` and its history; the other options are its defaults.

        Raises NotFoundError for an unknown id.
        """
        opened = run(
            self._async.session,
            title,
            id=id,
            parent=parent,
            model=model,
            agent=agent,
            variant=variant,
            effort=effort,
            permission=permission,
        )
        return Session(opened, self)

    def import_session(self, path: str | Path) -> Session:
        """Import a session that `Session.export("json")` or `opencode export` wrote, into this directory; open it.

        Keeps its id. Takes some seconds, as the program itself does it. Raises OSError (the file cannot be read) and
        OpencodeError (it has no session, the session exists already, or the server was joined by URL).
        """
        return Session(run(self._async.import_session, path), self)

    def ask(self, prompt: Prompt, **options: Any) -> Turn:
        """Send one prompt in a new session; options as for `Session.prompt`."""
        with session_for_prompt(self) as session:
            return session.prompt(prompt, **options)

    def stream(self, prompt: Prompt, **options: Any) -> Generator[Update]:
        """Send one prompt in a new session and yield each `Update`; options as for `Session.prompt`."""
        with session_for_prompt(self) as session:
            yield from session.stream(prompt, **options)

    def ask_stream(self, prompt: Prompt, **options: Any) -> Iterator[str]:
        """Send one prompt in a new session and yield the answer's text as it arrives; options and errors as for `ask`.

        Closing the iterator early aborts the turn.
        """
        with closing(self.stream(prompt, **options)) as updates:
            yield from (update.text for update in updates if update.kind == "text")

    def __repr__(self) -> str:
        return f"<Opencode {'running' if self.started else 'not started'} in {self.directory}>"


def player(agent: Opencode, path: str | Path) -> Session:
    """Return the session that plays a recording beside an agent, without a server. Raises OpencodeError."""
    session = run(agent._async.player, path)
    owner: Any = session.owner  # an AsyncOpencode
    return Session(session, Opencode._of(owner))


@contextmanager
def session_for_prompt(agent: Opencode, given: Session | None = None) -> Iterator[Session]:
    """Yield the given session, or a new one, deleted again if the prompt in the body could not be sent."""
    session = given or agent.session()
    try:
        yield session
    except BaseException:
        if given is None:
            discard(session)
        raise
