"""Opencode: the face of `AsyncOpencode` for code that does not await; `Session` is that of its sessions.

Each method runs its original on the package's loop thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from opencode_nb.api.client import Client
from opencode_nb.conversation.changes import Diff
from opencode_nb.conversation.completion import Completion
from opencode_nb.conversation.feed import Connection
from opencode_nb.conversation.models import ModelChoice
from opencode_nb.conversation.opencode import AsyncOpencode
from opencode_nb.conversation.policy import PermissionOption
from opencode_nb.conversation.state import Json
from opencode_nb.conversation.sync_session import Session
from opencode_nb.conversation.transcript import Change
from opencode_nb.conversation.turn import Turn
from opencode_nb.portal import run
from opencode_nb.secret import Secret
from opencode_nb.server import Server

__all__ = ["Opencode", "Session"]


class Opencode:
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

    def prefer(
        self,
        *,
        model: str | None = None,
        agent: str | None = None,
        variant: str | None = None,
        permission: PermissionOption | None = None,
        timeout: float | None = None,
    ) -> None:
        """Set anew what prompts use that name nothing else; a session that was given a choice of its own keeps it.

        Raises ValueError as the constructor does, and then nothing is changed.
        """
        self._async.prefer(model=model, agent=agent, variant=variant, permission=permission, timeout=timeout)

    @property
    def started(self) -> bool:
        """Whether there is a live connection."""
        return self._async.started

    @property
    def server(self) -> Server:
        """The server that this package runs. Raises OpencodeError before `start`, and for one joined by its URL."""
        return self._async.server

    @property
    def managed(self) -> Server | None:
        """As `server`, but None where that raises."""
        return self._async.managed

    @property
    def directory(self) -> Path:
        """Where the agent works."""
        return self._async.directory

    @property
    def version(self) -> str:
        """The server's version, "" before it was needed."""
        return self._async.version

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

    def sessions(self, *, search: str | None = None, limit: int | None = None, archived: bool = False) -> list[Json]:
        """All sessions of this directory, newest first, without sub-sessions; `search` is a part of their title.

        `limit`: only the newest ones, so many at most. `archived`: with those that are archived (`time.archived`).
        """
        return run(self._async.sessions, search=search, limit=limit, archived=archived)

    def find_session(self, wanted: str) -> Json:
        """The session with this id, beginning of an id, or title (or part of it), as `sessions` lists it.

        An id is looked up by itself, whatever its directory; what is not archived comes first. Raises OpencodeError
        where none or several match.
        """
        return run(self._async.find_session, wanted)

    def models(self) -> list[str]:
        """The models that can be used now, as "provider/model"."""
        return run(self._async.models)

    def models_detail(self) -> list[Json]:
        """The models that can be used now, and what they can do.

        `[{id, name, provider, variants, context, output, reasoning, tools, attachment, input, cost, default}]`: `id` is
        "provider/model"; `variants` are names; `context` and `output` tokens (0: unknown); `input` what a prompt may
        hold (text, image, pdf, ...); `cost` US dollars for a million tokens; `default` whether it is its provider's.
        """
        return run(self._async.models_detail)

    def agents(self) -> list[Json]:
        """The agents a prompt can be given to, with their `description`; sub-agents and hidden ones left out."""
        return run(self._async.agents)

    def commands(self) -> list[Json]:
        """The slash commands: the server's own, the user's, those of MCP servers and skills."""
        return run(self._async.commands)

    def complete(self, text: str, cursor: int | None = None, *, variables: Iterable[str] = ()) -> list[Completion]:
        """What the word at `cursor` (the end by default) of a prompt may become, best first.

        `/` at the beginning: commands; `@`: files, agents, and the `variables` that the caller knows of.
        """
        return run(self._async.complete, text, cursor, variables=variables)

    @property
    def connection(self) -> Connection:
        """How the event stream is: `state` (connected, reconnecting, lost), `error`, `failures`."""
        return self._async.connection

    def reconnect(self) -> Self:
        """Connect anew at once, whatever the event stream's state; start the server again where it has ended."""
        run(self._async.reconnect)
        return self

    def model_choice(self, model: str | None = None, agent: str | None = None) -> ModelChoice:
        """Which model a prompt would go to, and who chose it. Raises ModelError where none is set up."""
        return run(self._async.model_choice, model, agent)

    def diff(self, mode: Literal["git", "branch"] = "git") -> Diff:
        """How the work tree differs from the last commit ("git"), or from where its branch began ("branch").

        Raises OpencodeError outside git, and with "branch" where there is no other default branch.
        """
        return run(self._async.diff, mode)

    def abort_all(self) -> None:
        """Stop every running turn."""
        run(self._async.abort_all)

    def __repr__(self) -> str:
        return f"<Opencode {'running' if self.started else 'not started'} in {self.directory}>"
