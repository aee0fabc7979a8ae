"""Opencode: the face of `AsyncOpencode` for code that does not await; `Session` is that of its sessions.

Each method runs its original on the package's loop thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from opencode_nb.api.client import Client
from opencode_nb.portal import run
from opencode_nb.secret import Secret
from opencode_nb.server import Server
from opencode_nb.session.blocking.derived import Derived, Forwarded, blocking, forwarded
from opencode_nb.session.blocking.session import Session
from opencode_nb.session.feed import ConnectionState
from opencode_nb.session.opencode import AsyncOpencode
from opencode_nb.session.permissions.policy import PermissionOption
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.transcript import Change

__all__ = ["Opencode", "Session"]


class Opencode(Derived):
    """A server (joined or started when first needed, or the one at `base_url`), and its sessions in one directory.

    `permission` says who answers the agent's permission requests: "ask" (a person), "allow", "deny",
    {tool: rule or {pattern: rule}}, or a callable; `model` is "provider/model"; `timeout` in seconds bounds each turn.
    `shared`: use the server that this user's processes share (see `serve`); one of its own otherwise, and with
    `demo=True`, which uses the scripted demo model, not an AI. Close it, or use it as a context manager.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        password: str | None = None,
        model: str | None = None,
        agent: str | None = None,
        variant: str | None = None,
        directory: str | Path | None = None,
        config: Mapping[str, Any] | None = None,
        binary: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        demo: bool | None = None,
        shared: bool = True,
        permission: PermissionOption = "ask",
        timeout: float | None = None,
    ) -> None:
        self._async = AsyncOpencode(
            base_url=base_url,
            password=password,
            model=model,
            agent=agent,
            variant=variant,
            directory=directory,
            config=config,
            binary=binary,
            env=env,
            demo=demo,
            shared=shared,
            permission=permission,
            timeout=timeout,
        )
        self._join_password = None if password is None else Secret(password)
        self._client: Client | None = None

    prefer = forwarded(AsyncOpencode.prefer)
    started = Forwarded[bool](AsyncOpencode.started)
    server = Forwarded[Server](AsyncOpencode.server)
    managed = Forwarded[Server | None]("managed", "As `server`, but None where that raises.")
    directory = Forwarded[Path]("directory", "Where the agent works.")
    version = Forwarded[str]("version", 'The server\'s version, "" before it was needed.')

    @property
    def client(self) -> Client:
        """Every operation of the server, which is started again where it has ended.

        Raises OpencodeError before `start`, or the first prompt.
        """
        if self._async.client is not None:  # which raises where it was never started
            self.start()
        inner = self._async.client
        if self._client is None or str(self._client.base_url) != str(inner.base_url):
            self._disconnect()
            password = self.managed.password if self.managed else self._join_password
            self._client = Client(
                str(inner.base_url),
                password=password,
                directory=str(self.directory),
                ready=self._async.server_ready,
            )
        return self._client

    def start(self) -> Self:
        """Start or join the server now rather than with the first prompt."""
        run(self._async.start)
        return self

    def close(self) -> None:
        """End the event stream, and let go of the server: one of its own ends."""
        self._disconnect()
        run(self._async.aclose)

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def session(self, title: str | None = None, *, id: str | None = None, parent: str | None = None) -> Session:
        """A new session, or with `id` the one of that id with its history. Raises NotFoundError."""
        return Session(run(self._async.session, title, id=id, parent=parent), self)

    def ask(self, prompt: str, **options: Any) -> Turn:
        """One prompt in a session of its own; options as for `Session.prompt`."""
        with self._session_for_prompt() as session:
            return session.prompt(prompt, **options)

    def stream(self, prompt: str, **options: Any) -> Iterator[Change]:
        """One prompt in a session of its own, as an iterator of what changes."""
        with self._session_for_prompt() as session:
            yield from session.stream(prompt, **options)

    @contextmanager
    def _session_for_prompt(self, given: Session | None = None) -> Iterator[Session]:
        """The given session, or a new one for the prompt in the body, deleted where that could not be sent."""
        session = given or self.session()
        try:
            yield session
        except BaseException:
            if given is None:
                self._discard(session)
            raise

    def _discard(self, session: Session) -> None:
        """Delete a session that was made here, if nothing was ever sent in it and nobody has named it."""
        if self.started and not session._async.transcript.turns:
            run(self._async.discard, session._async)

    sessions = blocking(AsyncOpencode.sessions)
    find_session = blocking(AsyncOpencode.find_session)
    models = blocking(AsyncOpencode.models)
    models_detail = blocking(AsyncOpencode.models_detail)
    agents = blocking(AsyncOpencode.agents)
    commands = blocking(AsyncOpencode.commands)
    complete = blocking(AsyncOpencode.complete)
    connection = Forwarded[ConnectionState](AsyncOpencode.connection)

    def reconnect(self) -> Self:
        """Connect anew at once, whatever the event stream's state; start the server again where it has ended."""
        run(self._async.reconnect)
        return self

    model_choice = blocking(AsyncOpencode.model_choice)
    diff = blocking(AsyncOpencode.diff)
    abort_all = blocking(AsyncOpencode.abort_all)

    def __repr__(self) -> str:
        return f"<Opencode {'running' if self.started else 'not started'} in {self.directory}>"
