"""Catalog: what there is to choose from at a server: sessions, models, agents, commands, files."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
from collections.abc import Iterable
from typing import Any

from opencode_nb.errors import NotFoundError, OpencodeError
from opencode_nb.session.connection import Connection
from opencode_nb.session.models import ModelChoice, choose_model
from opencode_nb.session.prompt import completion
from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.session.prompt.completion import Completion
from opencode_nb.transcript.state import Json

PAGE = 1000
"""Sessions that are asked for at first: the server gives 100 unless told, and has no cursor for them."""

LONGER = 10
"""How many times as many are asked for, where there may be more."""

SESSION_ID = "ses"
"""What the id of a session begins with. The server fails, rather than finds nothing, for any other."""


def is_archived(info: Json) -> bool:
    """Whether a session is archived, as `sessions` lists it."""
    return bool((info.get("time") or {}).get("archived"))


def _matching(wanted: str, listed: list[Json]) -> list[Json]:
    """The newest that has this very title, else all whose id begins so or whose title contains it."""
    named = [info for info in listed if info.get("title") == wanted]
    text = wanted.lower()
    return named[:1] or [i for i in listed if i["id"].startswith(wanted) or text in str(i.get("title") or "").lower()]


class Catalog(Connection):
    """A connection that lists what its server has. `model` and `agent` are those of prompts that name none."""

    model: str | None
    agent: str | None

    def __init__(self, *connection: Any) -> None:
        super().__init__(*connection)
        self._choices: dict[tuple[str | None, str | None], ModelChoice] = {}
        self._checked: set[str] = set()  # agents that are known to be there
        self._windows: dict[str, int] = {}

    def _forget_catalog(self) -> None:
        """Ask again from now on: the next server may have others."""
        self._choices.clear()
        self._checked.clear()
        self._windows.clear()

    # -- sessions ----------------------------------------------------------------------------------------------------

    async def sessions(
        self, *, search: str | None = None, limit: int | None = None, archived: bool = False
    ) -> list[Json]:
        """All sessions of this directory, newest first, without sub-sessions; `search` is a part of their title.

        `limit`: only the newest ones, so many at most. `archived`: with those that are archived (`time.archived`).
        """
        if limit is not None and limit < 0:
            raise ValueError(f"limit={limit}: give a number of sessions, or None for all.")
        await self.start()
        count = limit or PAGE
        while True:
            listed: list[Json] = list(await self.client.session.list(search=search, limit=count, roots=True))
            found = [info for info in listed if archived or not is_archived(info)]
            if len(listed) < count or (limit is not None and len(found) >= limit):
                return found[:limit]
            count *= LONGER

    async def find_session(self, wanted: str) -> Json:
        """The session with this id, beginning of an id, or title (or part of it), as `sessions` lists it.

        An id is looked up by itself, whatever its directory; what is not archived comes first. Raises OpencodeError
        where none or several match.
        """
        await self.start()
        if wanted.startswith(SESSION_ID):
            with contextlib.suppress(NotFoundError):
                return dict(await self.client.session.get(wanted))
        listed = await self.sessions(archived=True)
        present = [info for info in listed if not is_archived(info)]
        found = _matching(wanted, present) or _matching(wanted, listed)
        if len(found) != 1:
            many = f"{len(found)} sessions match" if found else "No session matches"
            raise OpencodeError(f"{many} {wanted!r}: %opencode sessions lists them.")
        return found[0]

    async def can_share(self) -> bool:
        """Whether OpenCode's configuration lets sessions be shared."""
        await self.start()
        return (await self.client.config.get()).get("share") != "disabled"

    # -- models ------------------------------------------------------------------------------------------------------

    async def models(self) -> list[str]:
        """The models that can be used now, as "provider/model"."""
        return [str(model["id"]) for model in await self.models_detail()]

    async def models_detail(self) -> list[Json]:
        """The models that can be used now, and what they can do.

        `[{id, name, provider, variants, context, output, reasoning, tools, attachment, input, cost, default}]`: `id` is
        "provider/model"; `variants` are names; `context` and `output` tokens (0: unknown); `input` what a prompt may
        hold (text, image, pdf, ...); `cost` US dollars for a million tokens; `default` whether it is its provider's.
        """
        await self.start()
        listed: Any = await self.client.config.providers()
        defaults = listed.get("default") or {}
        found = [
            _model(provider, name, model, default=defaults.get(provider["id"]) == name)
            for provider in listed["providers"]
            for name, model in provider["models"].items()
        ]
        self._windows = {model["id"]: model["context"] for model in found}
        return found

    async def windows(self) -> dict[str, int]:
        """The sizes of the models' contexts, in tokens, by "provider/model"; asked for once."""
        if not self._windows:
            await self.models_detail()
        return self._windows

    async def model_choice(self, model: str | None = None, agent: str | None = None) -> ModelChoice:
        """Which model a prompt would go to, and who chose it. Raises ModelError where none is set up."""
        await self.start()
        asked = (model or self.model, agent or self.agent)
        if asked not in self._choices:
            self._choices[asked] = await choose_model(self.client, *asked)
        return self._choices[asked]

    async def check(self, model: str | None, agent: str | None) -> None:
        """Raise ModelError or OpencodeError for a model or agent that is not there, before anything is sent.

        The server would take the prompt, fail with a bare 500, and keep the wrong model for the whole session.
        """
        if model:
            await self.model_choice(model)
        if agent and agent not in self._checked:
            names = [str(found["name"]) for found in await self.client.app.agents()]
            if agent not in names:
                raise OpencodeError(f"There is no agent {agent!r} here. There are: {', '.join(names)}.")
            self._checked.add(agent)

    # -- agents and commands -------------------------------------------------------------------------------------------

    async def agents(self) -> list[Json]:
        """The agents a prompt can be given to, with their `description`; sub-agents and hidden ones left out."""
        await self.start()
        found = await self.client.app.agents()
        return [agent for agent in found if agent.get("mode") != "subagent" and not agent.get("hidden")]

    async def default_agent(self) -> str:
        """The agent that a prompt goes to where nobody names one."""
        configured = (await self.client.config.get()).get("default_agent")
        return str(configured or next((agent["name"] for agent in await self.agents()), "build"))

    async def commands(self) -> list[Json]:
        """The slash commands: the server's own, the user's, those of MCP servers and skills."""
        await self.start()
        return list(await self.client.command.list())

    async def command(self, name: str) -> Json:
        """The command of this name, with or without its slash. Raises OpencodeError where there is none."""
        wanted = name.removeprefix("/")
        found = {str(command["name"]): command for command in await self.commands()}
        if wanted not in found:
            close = difflib.get_close_matches(wanted, found, 1)
            meant = f" Did you mean /{close[0]}?" if close else ""
            raise OpencodeError(f"There is no command /{wanted}.{meant} There are: /{', /'.join(sorted(found))}.")
        return found[wanted]

    # -- what a prompt may name ----------------------------------------------------------------------------------------

    async def complete(
        self, text: str, cursor: int | None = None, *, variables: Iterable[str] = (), limit: int = completion.LIMIT
    ) -> list[Completion]:
        """What the word at `cursor` (the end by default) may become, best first.

        `/` at the beginning: commands; `@`: files, agents, and the `variables` that the caller knows of.
        """
        word = completion.word_at(text, len(text) if cursor is None else cursor)
        if word is None:
            return []
        await self.start()
        if word.kind == "command":
            return completion.commands(word, await self.commands(), limit)
        agents: list[Any] = await self.client.app.agents()
        query = word.text.rstrip("/")  # with it, the server finds folders only, and nothing in them
        files: list[Any] = await self.client.find.files(query=query, limit=limit)
        return completion.mentions(word, files, [a for a in agents if not a.get("hidden")], variables, limit)

    async def mentions(self, text: str) -> list[Json]:
        """The parts for what a text names: files that are there as `@path`, agents as `@agent`."""
        await self.start()
        agents: list[Any] = await self.client.app.agents()
        names = {str(agent["name"]) for agent in agents}
        return await asyncio.to_thread(prompt_parts.mentioned, text, self.directory, names)


def _model(provider: Json, name: str, model: Json, *, default: bool) -> Json:
    can, limit, cost = (model.get(key) or {} for key in ("capabilities", "limit", "cost"))
    return {
        "id": f"{provider['id']}/{name}",
        "name": str(model.get("name") or name),
        "provider": str(provider.get("name") or provider["id"]),
        "variants": list(model.get("variants") or {}),
        "context": int(limit.get("context") or 0),
        "output": int(limit.get("output") or 0),
        "reasoning": bool(can.get("reasoning")),
        "tools": bool(can.get("toolcall")),
        "attachment": bool(can.get("attachment")),
        "input": [kind for kind, takes in (can.get("input") or {}).items() if takes],
        "cost": {key: float(cost.get(key) or 0) for key in ("input", "output")},
        "default": default,
    }
