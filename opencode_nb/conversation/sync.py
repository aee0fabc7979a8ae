"""Opencode and Session: the faces of `AsyncOpencode` and `AsyncSession` for code that does not await.

Each method runs its original on the package's loop thread. A blocking prompt serves `Jobs` on the calling thread
meanwhile, so that a person can be asked there, and aborts the turn when it is interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from opencode_nb.api.client import Client
from opencode_nb.conversation.comments import Comment
from opencode_nb.conversation.console import ConsolePerson
from opencode_nb.conversation.models import ModelChoice
from opencode_nb.conversation.opencode import AsyncOpencode
from opencode_nb.conversation.policy import PermissionOption, Person
from opencode_nb.conversation.session import AsyncSession
from opencode_nb.conversation.state import Json
from opencode_nb.conversation.transcript import Change
from opencode_nb.conversation.turn import Turn
from opencode_nb.conversation.waiting import Jobs
from opencode_nb.portal import run
from opencode_nb.secret import Secret
from opencode_nb.server import Server


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
    def server(self) -> Server | None:
        """The managed server, None where one was joined or none has been needed yet."""
        return self._async.server

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
        """Every operation of the server; starts it where needed."""
        self.start()
        inner = self._async.client
        if self._client is None or str(self._client.base_url) != str(inner.base_url):
            password = self.server.password if self.server else self._join_password
            self._client = Client(str(inner.base_url), password=password, directory=str(self.directory))
        return self._client

    def start(self) -> Self:
        """Start or join the server now rather than with the first prompt."""
        run(self._async.start)
        return self

    def close(self) -> None:
        """End the event stream, and let go of the server: one of its own ends."""
        if self._client is not None:
            self._client.close()
            self._client = None
        run(self._async.aclose)

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
        return self.session().prompt(prompt, **options)

    def stream(self, prompt: str, **options: Any) -> Iterator[Change]:
        """One prompt in a session of its own, as an iterator of what changes."""
        return self.session().stream(prompt, **options)

    def sessions(self, *, search: str | None = None, limit: int | None = None) -> list[Json]:
        """The sessions of this directory, newest first, sub-sessions left out."""
        return run(self._async.sessions, search=search, limit=limit)

    def models(self) -> list[str]:
        """The models that can be used now, as "provider/model"."""
        return run(self._async.models)

    def agents(self) -> list[Json]:
        """The agents a prompt can be given to; sub-agents and hidden ones left out."""
        return run(self._async.agents)

    def commands(self) -> list[Json]:
        """The slash commands."""
        return run(self._async.commands)

    def model_choice(self, model: str | None = None, agent: str | None = None) -> ModelChoice:
        """Which model a prompt would go to, and who chose it. Raises ModelError where none is set up."""
        return run(self._async.model_choice, model, agent)

    def abort_all(self) -> None:
        """Stop every running turn."""
        run(self._async.abort_all)

    def __repr__(self) -> str:
        return f"<Opencode {'running' if self.started else 'not started'} in {self.directory}>"


class Session:
    """One conversation. Made by `Opencode.session`."""

    def __init__(self, session: AsyncSession, owner: Opencode) -> None:
        self._async = session
        self.owner = owner

    @property
    def id(self) -> str:
        """The server's id, `ses_...`."""
        return self._async.id

    @property
    def title(self) -> str:
        """Its title; the server makes one after the first prompt."""
        return self._async.title

    @property
    def server_version(self) -> str:
        """The version of the server that runs it."""
        return self._async.server_version

    @property
    def busy(self) -> bool:
        """Whether a turn runs."""
        return self._async.busy

    @property
    def cost(self) -> float:
        """US dollars spent in it so far, sub-sessions left out."""
        return self._async.cost

    @property
    def comments(self) -> list[Comment]:
        """What the next prompt takes along: a person's comments on lines of a diff. Change it as you like."""
        return self._async.comments

    @property
    def model(self) -> str | None:
        """The model of prompts that name none, as "provider/model"; None leaves it to OpenCode's configuration."""
        return self._async.model

    @model.setter
    def model(self, model: str | None) -> None:
        self._async.model = model

    @property
    def agent(self) -> str | None:
        """The agent of prompts that name none."""
        return self._async.agent

    @agent.setter
    def agent(self, agent: str | None) -> None:
        self._async.agent = agent

    def prompt(
        self,
        text: str,
        *,
        files: Iterable[Any] = (),
        images: Iterable[Any] = (),
        system: str | None = None,
        model: str | None = None,
        agent: str | None = None,
        variant: str | None = None,
        permission: PermissionOption | None = None,
        person: Person | None = None,
        timeout: float | None = None,
        no_reply: bool = False,
        wait: bool = True,
    ) -> Turn:
        """Send a prompt; the Turn when it has ended, or at once with `wait=False` (`turn.wait()` waits).

        While it waits, a person is asked through `input()` what the policy leaves open, unless `person` is given.
        `timeout` in seconds aborts the turn and keeps what came, as an interrupt does.
        Raises FileNotFoundError before anything is sent, TurnError (with `.turn`) when the turn ended in an error.
        """
        jobs = Jobs()
        waits = wait and not no_reply
        turn = run(
            self._async.prompt,
            text,
            files=files,
            images=images,
            system=system,
            model=model,
            agent=agent,
            variant=variant,
            permission=permission,
            person=person or (ConsolePerson(jobs) if waits else None),
            timeout=timeout,
            no_reply=no_reply,
            wait=False,
        )
        turn.session = self
        return self.wait(turn, jobs).raise_for_status() if waits else turn

    def wait(self, turn: Turn, jobs: Jobs) -> Turn:
        """Wait for a turn on this thread and run its jobs; an interrupt aborts it, and is raised when it rests."""
        try:
            jobs.serve_until(turn._done)
        except KeyboardInterrupt:
            self.abort()
            raise
        return turn

    def stream(self, text: str, **options: Any) -> Iterator[Change]:
        """Send a prompt and iterate over what changes until it has ended; options as for `prompt`."""
        queue: SimpleQueue[Change | None] = SimpleQueue()
        unsubscribe = self.subscribe(queue.put)
        turn = None
        try:
            turn = self.prompt(text, **{**options, "wait": False})
            turn.on_done(lambda: queue.put(None))
            while (change := queue.get()) is not None:
                if change.turn == turn.id:
                    yield change
            turn.raise_for_status()
        finally:
            unsubscribe()
            if turn is not None and not turn.state.ended:
                self.abort()

    def turns(self) -> list[Turn]:
        """All turns that count (undone ones do not), oldest first."""
        turns = self._async.turns()
        for turn in turns:
            turn.session = self
        return turns

    def abort(self) -> None:
        """Stop what runs; returns when the session rests. What came is kept."""
        run(self._async.abort)

    def revert(self, to: Turn | str) -> Json:
        """Undo this turn and all after it, files included (in a git repository). Raises OpencodeError if it failed."""
        return run(self._async.revert, to)

    def unrevert(self) -> Json:
        """Redo what was undone."""
        return run(self._async.unrevert)

    def fork(self, at: Turn | str | None = None) -> Session:
        """A new session with the history before `at` (all of it by default)."""
        return Session(run(self._async.fork, at), self.owner)

    def rename(self, title: str) -> None:
        """Give it another title."""
        run(self._async.rename, title)

    def delete(self) -> None:
        """Stop what runs and delete it, sub-sessions included."""
        run(self._async.delete)

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call back, on the package's loop thread, with each `Change`; returns what ends it."""
        return self._async.subscribe(callback)

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.title!r}>"
