"""Enforcement: makes the server follow a policy. Checks the names in its rules and builds the session's rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opencode_nb.api.client import AsyncClient
from opencode_nb.closest import did_you_mean
from opencode_nb.errors import OpencodeError
from opencode_nb.session.permissions.policy import Policy
from opencode_nb.session.permissions.rules import PERMISSIONS, is_builtin, unknown
from opencode_nb.session.permissions.session_rules import NONE_KEPT, Kept, base_action, covered, session_rules
from opencode_nb.session.permissions.subjects import Place
from opencode_nb.tools.names import HIDDEN, own_tool
from opencode_nb.transcript.state import Json


class Enforcement:
    """Caches the configuration, agents and tools of a server in one directory that rules depend on.

    `directories`: others that the agent may use. `functions` returns the names of the user's own.
    """

    def __init__(
        self,
        client: Callable[[], AsyncClient],
        directory: Path,
        directories: Sequence[str] = (),
        functions: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._client, self._directory, self._directories = client, directory, directories
        self._functions = functions
        self.forget()

    def forget(self) -> None:
        """Clear the cache: the next server may have other agents and tools."""
        self.read_from = object()
        """Stands for the server as it is: replaced when it, or its configuration, may have become another."""
        self.place: Place | None = None
        self._config: Json | None = None
        self._agents: list[Any] = []
        self._tools: list[str] = []
        self._checked: set[str] = set()

    async def rules(
        self,
        policy: Policy,
        agent: str | None,
        standing: Sequence[Json] = (),
        offered: Sequence[Json] = (),
        guarded: Sequence[str] = (),
        kept: Kept = NONE_KEPT,
    ) -> list[Json]:
        """Return the rules to add to a session's `standing` rules for a turn with this policy.

        `offered`: the rules for the tools of its kernel; `kept`: the files that one of them stands for; `guarded`: what
        hooks may refuse. Raises OpencodeError for an unknown tool name.
        """
        config = await self._read()
        return session_rules(
            policy,
            configured=bool(_users(config.get("permission"))),
            agent=self._rules_of(agent or config.get("default_agent")),
            standing=standing,
            own=await self._own_tools(policy, guarded),
            offered=offered,
            guarded=guarded,
            directories=self._directories,
            kept=kept,
        )

    def allows_unasked(self, policy: Policy, agent: str | None, standing: Sequence[Json], request: Json) -> bool:
        """Return whether the server would allow this without asking, were it not `guarded`."""
        configured = bool(_users((self._config or {}).get("permission")))
        if covered(str(request.get("permission")), policy.names(configured)):
            return False
        agent = agent or (self._config or {}).get("default_agent")
        return base_action(self._rules_of(agent), standing, request) == "allow"

    async def all_rules(self, policy: Policy, agent: str | None) -> list[Json]:
        """Return the rules that a turn with this policy is under in a new session: the agent's, and those added."""
        agent = policy.agent or agent
        added = await self.rules(policy, agent)
        return [*self._rules_of(agent or (await self._read()).get("default_agent")), *added]

    async def hides_tools(self) -> bool:
        """Whether the configuration hides the tools of kernels from the sessions that they are not offered to."""
        permission = (await self._read()).get("permission")
        return isinstance(permission, Mapping) and permission.get(HIDDEN) == "deny"

    async def _read(self) -> Json:
        if self._config is None:
            self._config, self._agents = dict(await self._client().config.get()), await self._client().app.agents()
        return self._config

    def _rules_of(self, name: str | None) -> Sequence[Json]:
        """Return an agent's rules, including the user's configuration; without a name, those of the first agent."""
        found = [agent for agent in self._agents if (agent["name"] == name if name else agent["mode"] != "subagent")]
        return found[0].get("permission") or () if found else ()

    async def _own_tools(self, policy: Policy, guarded: Sequence[str]) -> list[str]:
        """Return the user's own tools if rules may apply to them. Raises OpencodeError as `rules` does."""
        if policy.tells_paths_apart and self.place is None:
            found = await self._client().path.get()
            self.place = Place(Path(str(found["worktree"])), self._directory)
        named = [*(policy.rules.names if policy.rules else ()), *guarded]
        if all(name in PERMISSIONS for name in named):
            return []
        if not self._tools:
            self._tools = [str(tool) for tool in await self._client().tool.ids()]
        await self._check(unknown(named))
        return [tool for tool in self._tools if not is_builtin(tool)]

    async def _check(self, names: Iterable[str]) -> None:
        """Raise OpencodeError for the first name that is neither a tool nor has an MCP server's prefix."""
        known = {*self._tools, *self._checked, *self._functions()}
        missing = [name for name in names if name not in known]
        if not missing:
            return
        prefixes = [f"{re.sub(r'[^a-zA-Z0-9_-]', '_', server)}_" for server in await self._client().mcp.status()]
        for name in missing:
            if not name.startswith(tuple(prefixes)):
                raise OpencodeError(self._unknown(name, prefixes))
        self._checked.update(missing)

    def _unknown(self, name: str, prefixes: list[str]) -> str:
        tools = [*self._tools, *self._functions()]
        meant = did_you_mean(name, [*tools, *PERMISSIONS], "{!r}", most=1)
        there = ", ".join([*tools, *(f"{prefix}*" for prefix in prefixes if not own_tool(f"{prefix}*"))])
        return f"permission: there is a rule for {name!r}, but no such tool.{meant} Available: {there}."


def _users(permission: Any) -> Any:
    """Return the configured rules without the one that this package adds."""
    if not isinstance(permission, Mapping):
        return permission
    return {name: rule for name, rule in permission.items() if (name, rule) != (HIDDEN, "deny")}
