"""AsyncAcpAgent and AcpAgent: an agent that speaks the Agent Client Protocol, with the sessions of `Opencode`."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from opencode_nb._version import __version__
from opencode_nb.acp import auth
from opencode_nb.acp import wire as wires
from opencode_nb.acp.auth import AuthMethod
from opencode_nb.acp.client import AcpClient
from opencode_nb.acp.enforcement import AcpEnforcement, configuration
from opencode_nb.acp.feed import AcpFeed
from opencode_nb.acp.process import AgentProcess
from opencode_nb.acp.transport import Carried, Connect, Line
from opencode_nb.acp.wire import REQUEST_TIMEOUT, Wire
from opencode_nb.api.client import Client
from opencode_nb.api.verifying import refuse_acts
from opencode_nb.closest import did_you_mean
from opencode_nb.errors import OpencodeError, ServerStartError
from opencode_nb.retry import Retry
from opencode_nb.server.binary import PROGRAM, locate_binary
from opencode_nb.server.environment import CONFIG, PASSWORD, USERNAME, inherited_config, loopback_direct, merged
from opencode_nb.server.logs import plain
from opencode_nb.server.version import VERSION_SECONDS, check_version
from opencode_nb.session.blocking import Opencode
from opencode_nb.session.derived import Forwarded, blocking, with_options_of
from opencode_nb.session.hooks.hook import Hooks
from opencode_nb.session.login.logins import LOGIN_SECONDS
from opencode_nb.session.models import FREE_PUBLIC_PROVIDER, ModelChoice
from opencode_nb.session.opencode import AsyncOpencode
from opencode_nb.session.permissions.policy import PermissionOption
from opencode_nb.session.permissions.questions import QuestionCallback
from opencode_nb.session.permissions.session_rules import extra_directories
from opencode_nb.transcript.state import Json

if TYPE_CHECKING:
    from opencode_nb.functions.parameters import Function

START_SECONDS = 60.0
"""Seconds until an agent must have answered: `opencode acp` takes 2, more on a busy machine."""

NAME_LENGTH = 40
"""Characters of an agent's name."""

VERSION = 1
"""The version of the protocol."""


class AsyncAcpAgent(AsyncOpencode):
    """An agent that speaks the Agent Client Protocol through its pipes, with sessions as those of `AsyncOpencode`.

    `command` starts it, by default `opencode acp` with the program that `find_binary` finds; `env` are variables in
    addition to this process's, `cwd` is the directory that it works in, `directories` are more that it may use, if it
    can. It is started on first use, and ends with everything it started when this is closed, or when this process
    ends, however that ends.
    `start_timeout` (seconds) is how long it may take to answer. `model` and `agent` (its mode) are among those that it
    offers. The other options are those of `AsyncOpencode`. `permission` answers what the agent asks about: `opencode
    acp` is told at its start to ask about edits, commands and what the rules name; other agents decide themselves.
    `tools`, and those of the kernel, reach agents that take MCP servers over HTTP and open sessions again.
    `transport`, instead of `command`, reaches an agent that was started elsewhere: a coroutine function that connects,
    and returns a `Transport`. It is called again for the next prompt after the connection was lost.

    What the protocol or the agent lacks raises NotSupportedError: undoing turns, shell commands, lists of models. Needs
    the package agent-client-protocol: `pip install 'opencode_nb[acp]'`.
    """

    def __init__(
        self,
        command: Sequence[str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        directories: Iterable[str | Path] = (),
        start_timeout: float | None = None,
        model: str | None = None,
        agent: str | None = None,
        permission: PermissionOption = "ask",
        on_question: QuestionCallback | None = None,
        answer_timeout: float | None = None,
        strict_directory: bool = False,
        timeout: float | None = None,
        retry: int | Retry | None = None,
        hooks: Hooks | None = None,
        tools: Iterable[Function] = (),
        transport: Connect | None = None,
    ) -> None:
        if isinstance(command, str) or (command is not None and not command):
            raise ValueError(f"command={command!r}: give the program and its arguments, such as ['qwen', '--acp'].")
        if command is not None and transport is not None:
            raise ValueError("Give command= or transport=: an agent is started here, or elsewhere.")
        extra = extra_directories(directories)
        super().__init__(
            directory=cwd,
            directories=extra,
            env=env,
            model=model,
            agent=agent,
            permission=permission,
            on_question=on_question,
            answer_timeout=answer_timeout,
            strict_directory=strict_directory,
            timeout=timeout,
            retry=retry,
            hooks=hooks,
            tools=tools,
        )
        self._roots = [*dict.fromkeys((self.directory, *(Path(one).resolve() for one in extra)))]
        self._command, self._transport = None if command is None else [*command], transport
        self._start_timeout = START_SECONDS if start_timeout is None else start_timeout
        self._rules = AcpEnforcement(self.directory)
        self.enforcement = self._rules
        self._agent: AcpClient | None = None
        self._line: Line | None = None

    @property
    def name(self) -> str:  # type: ignore[override]  # a server has the same one always
        """What people call the agent: as it tells, else the name of its program."""
        if self._agent is not None:
            return self._agent.name
        return super().name if self._is_opencode else Path(self._shown.split()[0]).name

    @property
    def described(self) -> str:
        """What answers: the agent's name, version and command."""
        return f"{' '.join(filter(None, (self.name, self.version)))}, an agent: {self._shown}"

    @property
    def _shown(self) -> str:
        return "started elsewhere" if self._transport else shlex.join(self._command or [PROGRAM, "acp"])

    @property
    def log_path(self) -> Path | None:
        """What the agent wrote to its error output; None before `start`."""
        return None if self._line is None or self._feed is None else self._line.log_path

    @property
    def started(self) -> bool:
        """Whether the agent runs."""
        return self._feed is not None and not self._feed.lost

    @property
    def capabilities(self) -> Json:
        """What the agent can do, as it told when it started: `agentCapabilities` of the protocol.

        Raises OpencodeError before `start`.
        """
        return dict(self._running.capabilities)

    @property
    def _running(self) -> AcpClient:
        if self._agent is None:
            raise OpencodeError("Not started yet: call start() first, or prompt something.")
        return self._agent

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, timeout: float = REQUEST_TIMEOUT
    ) -> Json:
        """Send a request of the protocol, such as an extension's "_x/y"; return its result.

        Raises NotSupportedError if the agent does not know it, APITimeoutError after `timeout` seconds, and
        OpencodeError if it answers with an error.
        """
        refuse_acts()
        await self.start()
        return await self._running.wire.request(method, dict(params or {}), timeout)

    @property
    def auth_methods(self) -> list[AuthMethod]:
        """How to log in to the agent, as it told when it started: `(id, name, description, command)`.

        `command` is to be run in a terminal; "" for what `authenticate` does. Raises OpencodeError before `start`.
        """
        return list(self._running.auth_methods)

    async def authenticate(self, method: str) -> None:
        """Log in by a method of this id, which may open a browser; ten minutes at most.

        Raises OpencodeError for an unknown one, one that needs a terminal (with its command), and if it fails.
        """
        await self.start()
        known = {one.id: one for one in self.auth_methods}
        if method not in known:
            raise OpencodeError(f"The agent has no login {method!r}.{did_you_mean(method, known)}")
        if known[method].command:
            raise OpencodeError(f"Run `{known[method].command}` in a terminal: this login needs one.")
        await self.call("authenticate", {"methodId": method}, timeout=LOGIN_SECONDS)

    # -- starting --------------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        await asyncio.to_thread(wires.require)  # its import takes most of a second
        line, env = await self._reached()
        self._line = line
        client = self._client = self._agent = AcpClient(self._roots, env, self.name)
        feed = AcpFeed(client, self._record)
        client.wire = Wire(line, client.serving.serve, feed.ended)
        client.serving.decided, client.may_use = self._rules.decided, self._may_use
        try:
            await self._initialize(client, line)
        except BaseException:
            self._client = self._agent = None
            await client.aclose()
            raise
        feed.listen(self._callbacks.changed)
        await feed.start()
        self._feed = feed
        await feed.follow_again(self._callbacks.followed())

    async def _reached(self) -> tuple[Line, dict[str, str]]:
        """Return the line to the agent, and the variables of what it runs here. Raises ServerStartError."""
        if self._transport is None:
            command, env = await self._launched()
            return await AgentProcess.start(command, env, self.directory), env
        try:
            async with asyncio.timeout(self._start_timeout):
                return Carried(await self._transport()), {**os.environ, **self.environment}
        except OSError as error:
            why = f"{error}" or f"no answer within {self._start_timeout:g} s"
            raise ServerStartError(f"The agent cannot be reached: {why}. Look at transport=.") from error

    async def _launched(self) -> tuple[list[str], dict[str, str]]:
        """Return the command and its environment; have `opencode acp` ask before it acts."""
        env = {**os.environ, **self.environment}
        env |= loopback_direct(env)
        command = await self._managed() if self._command is None else self._command
        program = shutil.which(command[0], path=env.get("PATH"))
        if program is None or not self._is_opencode:
            return command, env
        config = await configuration(program, env, self.directory, self._start_timeout)
        asking = self._rules.settle(config, self.policy, sorted(self.hooks.hooks.guarded))
        env = {
            USERNAME: "opencode",
            PASSWORD: secrets.token_urlsafe(32),
            **env,
        }  # of the server that it talks to itself
        env[CONFIG] = json.dumps(merged(inherited_config(env), asking))
        return command, env

    async def _managed(self) -> list[str]:
        """Return the command of the managed program."""
        found = await asyncio.to_thread(locate_binary, None, min(self._start_timeout / 2, VERSION_SECONDS))
        check_version(found.version, found.path, found.if_wrong)
        return [str(found.path), "acp"]

    @property
    def _is_opencode(self) -> bool:
        """Whether it is `opencode acp`, which asks about what it is configured to."""
        if self._transport is not None:
            return False
        return self._command is None or (Path(self._command[0]).name == PROGRAM and "acp" in self._command)

    async def _initialize(self, client: AcpClient, line: Line) -> None:
        params = {
            "protocolVersion": VERSION,
            "clientInfo": {"name": "opencode_nb", "version": __version__},
            "clientCapabilities": {"fs": {"readTextFile": True, "writeTextFile": True}, "terminal": True}
            | {"elicitation": {"form": {}, "url": {}}, **auth.CAPABILITIES},
        }
        try:
            answer = await client.wire.request("initialize", params, self._start_timeout)
        except OpencodeError as error:
            why = f"{error}" if line.exit_code is not None else f"{error} {line.told}"
            raise ServerStartError(
                f"The agent did not start: {why}", exit_code=line.exit_code, tail=line.tail
            ) from error
        if answer.get("protocolVersion") != VERSION:
            raise ServerStartError(
                f"The agent speaks version {answer.get('protocolVersion')} of the protocol, not {VERSION}: update it. "
                f"{line.told}"
            )
        client.capabilities = _object(answer.get("agentCapabilities"))
        client.auth_methods = auth.methods(answer.get("authMethods"), line.command)
        told = _object(answer.get("agentInfo"))
        self.version = str(told.get("version") or "")
        client.name = plain(str(told.get("title") or told.get("name") or client.name))[:NAME_LENGTH]

    # -- what agents are not asked -----------------------------------------------------------------------------------

    async def check(self, model: str | None, agent: str | None) -> None:
        """Do nothing: a session offers models and modes once it exists, and prompts check theirs."""

    async def model_choice(self, model: str | None = None, agent: str | None = None) -> ModelChoice:
        """Return the model that is named; without one the agent chooses, and the model is ""."""
        named = model or self.model
        return ModelChoice(named or "", "", "", "option" if named else "configuration")

    async def models_detail(self) -> list[Json]:
        """Return []: agents tell the names of models, and nothing about them."""
        return []

    async def default_agent(self) -> str:
        """Return the first mode that the agent offers; "" before it has offered any."""
        return next((str(mode["name"]) for mode in await self.agents()), "")

    async def _by_id(self, _wanted: str) -> None:
        """Return None: an agent knows its sessions' ids when it opens them, and lists them."""

    def _may_use(self, model: str) -> bool:
        """Return whether a model may answer unnamed: not the free public one, unless the user configured it."""
        is_public = self._is_opencode and model.startswith(f"{FREE_PUBLIC_PROVIDER}/")
        return not is_public or model == self._rules.config.get("model")

    async def _create(self, title: str | None, parent: str | None) -> Json:
        if parent is not None:
            raise self._running.refusal("sub-sessions")
        return dict(await self.client.session.create(title=title))


class AcpAgent(Opencode):
    """An agent that speaks the Agent Client Protocol, with the sessions of `Opencode`. Close it, or use it by `with`.

    `command` starts it, by default `opencode acp` with the managed program; `env` are variables in addition to this
    process's, `cwd` is the directory that it works in. The other options, and what it needs, are those of
    `AsyncAcpAgent`.
    """

    _inner: ClassVar[type[AsyncOpencode]] = AsyncAcpAgent
    _async: AsyncAcpAgent

    @with_options_of(AsyncAcpAgent)
    def __init__(self, command: Sequence[str] | None = None, **options: Any) -> None:
        given: dict[str, Any] = {"command": command, **options}
        super().__init__(**given)

    capabilities = Forwarded[Json](AsyncAcpAgent.capabilities)
    auth_methods = Forwarded[list[AuthMethod]](AsyncAcpAgent.auth_methods)
    call = blocking(AsyncAcpAgent.call)
    authenticate = blocking(AsyncAcpAgent.authenticate)

    @property
    def client(self) -> Client:
        """Raises OpencodeError: an agent has no HTTP API."""
        raise OpencodeError("An agent of the Agent Client Protocol has no HTTP API: use `call`.")


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
