"""The blocking face of a connection: a server in one directory, and what it has there."""

from __future__ import annotations

from collections.abc import Mapping
from getpass import getpass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from opencode_nb.api.client import Client
from opencode_nb.errors import OpencodeError
from opencode_nb.functions.collection import Tools
from opencode_nb.portal import run
from opencode_nb.server import Server
from opencode_nb.session.derived import Derived, Forwarded, blocking, forwarded, with_options_of
from opencode_nb.session.incoming.feed import ConnectionState
from opencode_nb.session.incoming.health import Health
from opencode_nb.session.mcp.blocking import McpServers
from opencode_nb.session.opencode import AsyncOpencode
from opencode_nb.session.permissions.approvals import Approvals

if TYPE_CHECKING:
    from opencode_nb.recording.recording import Recording


class Connection(Derived):
    """A server in one directory: its models, agents, logins, MCP servers and lists. `Opencode` adds the sessions."""

    _inner: ClassVar[type[AsyncOpencode]] = AsyncOpencode

    @with_options_of(AsyncOpencode)
    def __init__(self, **options: Any) -> None:
        self._async = self._inner(**options)
        self._client: Client | None = None

    @classmethod
    def _of(cls, inner: AsyncOpencode) -> Self:
        """Return the blocking face of an AsyncOpencode that exists already."""
        made = cls.__new__(cls)
        made._async, made._client = inner, None
        return made

    prefer = forwarded(AsyncOpencode.prefer)
    started = Forwarded[bool](AsyncOpencode.started)
    server = Forwarded[Server](AsyncOpencode.server)
    managed = Forwarded[Server | None]("managed", "Like `server`, but None where that raises.")
    tools = Forwarded[Tools]("tools", "The functions that its agents may call: list them, `add` and `remove` them.")
    directory = Forwarded[Path]("directory", "The directory that the agent works in.")
    name = Forwarded[str]("name", "What people call what answers: OpenCode, or the agent's name.")
    described = Forwarded[str](AsyncOpencode.described)
    joined = Forwarded[bool](AsyncOpencode.joined)
    log_path = Forwarded[Path | None](AsyncOpencode.log_path)
    lacks = forwarded(AsyncOpencode.lacks)
    version = Forwarded[str]("version", 'The server\'s version, or "" before the first connection.')

    @property
    def client(self) -> Client:
        """Client for every operation of the server's API; restarts the server if it has exited.

        Raises OpencodeError before `start` or the first prompt.
        """
        if self._async.recording is not None:
            raise OpencodeError(f"This is a replay of {self._async.recording.path.name}: it has no server to call.")
        if self._async.client is not None:  # raises if it was never started
            self.start()
        inner = self._async.client
        if self._client is None or str(self._client.base_url) != str(inner.base_url):
            self._disconnect()
            self._client = Client(
                str(inner.base_url),
                password=self._async.password,
                directory=str(self.directory),
                ready=self._async.server_ready,
                **self._async.client_options,
            )
        return self._client

    def start(self) -> Self:
        """Start or join the server now instead of with the first prompt."""
        run(self._async.start)
        return self

    def close(self) -> None:
        """Close the event stream and leave the server; one that is not shared stops."""
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

    @property
    def recording(self) -> Recording | None:
        """The recording that it plays; None where it runs turns."""
        return self._async.recording

    @property
    def mcp(self) -> McpServers:
        """The MCP servers of the directory: their state, and attaching, connecting and disconnecting them."""
        return McpServers(self._async.mcp)

    tool_rules = blocking(AsyncOpencode.tool_rules)
    logins = blocking(AsyncOpencode.logins)
    find_login = blocking(AsyncOpencode.find_login)
    logout = blocking(AsyncOpencode.logout)
    start_login = blocking(AsyncOpencode.start_login)
    finish_login = blocking(AsyncOpencode.finish_login)

    def login(self, provider: str, key: str | None = None, *, details: Mapping[str, str] | None = None) -> bool:
        """Log in to a provider with an API key; asks for the key if it is not given, and does not show it.

        `details` are what the method asks for beside it. Returns whether it is in effect: while a turn runs, the old
        one is used. Raises OpencodeError for an unknown provider.
        """
        run(self._async.find_login, provider)  # before anybody types a key
        typed = getpass(f"API key of {provider}: ") if key is None else key
        return run(self._async.login, provider, typed, details=details)

    sessions = blocking(AsyncOpencode.sessions)
    find_session = blocking(AsyncOpencode.find_session)
    models = blocking(AsyncOpencode.models)
    models_detail = blocking(AsyncOpencode.models_detail)
    agents = blocking(AsyncOpencode.agents)
    commands = blocking(AsyncOpencode.commands)
    complete = blocking(AsyncOpencode.complete)
    connection = Forwarded[ConnectionState](AsyncOpencode.connection)
    health = Forwarded[Health](AsyncOpencode.health)

    def reconnect(self) -> Self:
        """Reconnect at once, whatever the event stream's state; restart the server if it has exited."""
        run(self._async.reconnect)
        return self

    model_choice = blocking(AsyncOpencode.model_choice)
    diff = blocking(AsyncOpencode.diff)
    abort_all = blocking(AsyncOpencode.abort_all)
    approvals = Forwarded[Approvals]("approvals", 'What was allowed with "always": `given`, `take_back()`.')
