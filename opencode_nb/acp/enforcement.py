"""AcpEnforcement: has `opencode acp` follow a policy. It is told once, when it starts, what to ask about."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NoReturn

from opencode_nb.acp import careful
from opencode_nb.errors import OpencodeError, ServerStartError
from opencode_nb.session.kernel.offering import CALL_MS
from opencode_nb.session.permissions.enforcement import Enforcement
from opencode_nb.session.permissions.policy import Policy
from opencode_nb.session.permissions.session_rules import NONE_KEPT, Kept, base_action, covered
from opencode_nb.session.permissions.subjects import Place
from opencode_nb.tools.names import HIDDEN
from opencode_nb.transcript.state import Json

_UNLESS_CONFIGURED: Json = {"permission": "*", "pattern": "*", "action": "allow"}


class AcpEnforcement(Enforcement):
    """What the user's configuration says, and what the program asks about.

    Empty for other agents: what they ask about is theirs to know.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(_no_client, directory)
        self.config: Json = {}
        self._asked: set[str] | None = None
        self._offered: dict[str, str] = {}  # the action for each tool of this process, by its full name

    def forget(self) -> None:
        """Begin anew: the next agent may have another configuration."""
        super().forget()
        self.place = Place(self._directory, self._directory)
        self.config, self._asked, self._offered = {}, None, {}

    def settle(self, config: Json, policy: Policy, guarded: Sequence[str]) -> Json:
        """Take the user's resolved configuration; return what has the program ask as the policy and hooks need it."""
        names = {*policy.names(bool(config.get("permission"))), *guarded}
        self.config, self._asked = config, names
        allowed = [name for name in names if policy.action(name) == "allow"]
        asking = careful.asking(config, [*sorted(names), HIDDEN], allowed)
        return {**asking, "experimental": {"mcp_timeout": CALL_MS}}  # else calls of tools end after 30 s

    async def rules(
        self,
        policy: Policy,
        agent: str | None,
        standing: Sequence[Json] = (),
        offered: Sequence[Json] = (),
        guarded: Sequence[str] = (),
        kept: Kept = NONE_KEPT,
    ) -> list[Json]:
        """Return no rules: the protocol has none. Raises OpencodeError if the program does not ask what it should."""
        needed = {*policy.names(bool(self.config.get("permission"))), *guarded}
        if self._asked is not None and (lacking := sorted(needed - self._asked)):
            raise OpencodeError(
                f"The agent was started without asking about {', '.join(lacking)}, so nothing here could deny it. "
                "Give the rule as permission= of the AcpAgent."
            )
        self._offered |= {str(rule["permission"]): str(rule["action"]) for rule in offered}
        return []

    def decided(self, mode: str, request: Json) -> Literal["once", "reject", ""]:
        """Return the answer to a request that asks nobody: what is configured for a mode, and what is offered, say."""
        offered = self._offered.get(str(request.get("permission")))
        if offered == "deny" or careful.denies(careful.rules_of(self.config, mode), request):
            return "reject"
        return "once" if offered == "allow" else ""

    def allows_unasked(self, policy: Policy, agent: str | None, standing: Sequence[Json], request: Json) -> bool:
        """Return whether the program would allow this without asking, were it not guarded."""
        if covered(str(request.get("permission")), policy.names(bool(self.config.get("permission")))):
            return False
        return base_action([_UNLESS_CONFIGURED, *careful.rules_of(self.config, agent or "")], (), request) == "allow"

    async def hides_tools(self) -> bool:
        """Return True: the protocol gives tools to a session, and a request for each call of them is answered here."""
        return True


def _no_client() -> NoReturn:
    raise OpencodeError("An agent has no configuration to read.")


async def configuration(program: str, env: Mapping[str, str], directory: Path, seconds: float) -> Json:
    """Return the resolved configuration of the `opencode` program. Raises ServerStartError."""
    command = [program, "debug", "config"]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, env=env, cwd=directory, start_new_session=True
    )
    try:
        async with asyncio.timeout(seconds):
            output, _errors = await process.communicate()
        config = json.loads(output)
    except (TimeoutError, ValueError) as error:
        raise ServerStartError(f"`{' '.join(command)}` did not tell the configuration: {error}") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return config if isinstance(config, dict) else {}
