"""Catalog: lists a server's sessions, models, agents, commands and files."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from opencode_nb.closest import closest, did_you_mean
from opencode_nb.errors import ModelError, NotFoundError, OpencodeError
from opencode_nb.server.binary import login_command
from opencode_nb.session.connection import Callbacks, Connection
from opencode_nb.session.models import ModelChoice, NoModelError, choose_model
from opencode_nb.session.prompt import commands, completion
from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.session.prompt.completion import Completion
from opencode_nb.transcript.state import Json, is_archived

PAGE = 1000
"""Sessions to request at first: the server defaults to 100 and has no cursor to page through them."""

LONGER = 10
"""Factor by which the limit grows while there may be more sessions."""

SESSION_ID = "ses"
"""Prefix of a session id. For an id without it the server fails instead of answering 404."""


BEGINNING = 2
"""Letters of a mistyped file name that are assumed to be right."""

SIMILAR = 200
"""Files to compare with a mistyped name: the most that the server returns."""


NAMED = 3
"""Sessions to name if several match."""


def _matching(wanted: str, listed: list[Json]) -> list[Json]:
    """The newest session with exactly this title; else all with this id prefix or this text in the title."""
    named = [info for info in listed if info.get("title") == wanted]
    text = wanted.lower()
    return named[:1] or [i for i in listed if i["id"].startswith(wanted) or text in str(i.get("title") or "").lower()]


def _not_one(wanted: str, found: list[Json], present: list[Json]) -> str:
    """Say which sessions match, or which title may be meant."""
    if not found:
        meant = did_you_mean(wanted, (str(info.get("title") or "") for info in present), "{!r}")
        return f"No session matches {wanted!r}.{meant} %opencode sessions lists them."
    shown = ", ".join(f"{info['id']} {info.get('title') or ''}".strip() for info in found[:NAMED])
    more = ", ..." if len(found) > NAMED else ""
    return f"{len(found)} sessions match {wanted!r}: {shown}{more}. Give an id, or more of the title."


class Catalog(Connection):
    """A connection that lists what its server offers. `model` and `agent` are the defaults for prompts."""

    model: str | None
    agent: str | None

    def __init__(
        self,
        directory: str | Path | None,
        base_url: str | None,
        password: str | None,
        serve_options: Mapping[str, Any],
        client_options: Mapping[str, Any],
        callbacks: Callbacks,
    ) -> None:
        super().__init__(directory, base_url, password, serve_options, client_options, callbacks)
        self._choices: dict[tuple[str | None, str | None], ModelChoice] = {}
        self._checked: set[str] = set()  # agents known to exist
        self._details: dict[str, Json] = {}
        self._own_models: dict[str | None, str] = {}
        self._said: set[str] = set()

    def _forget_catalog(self) -> None:
        """Clear the cached models and agents: the next server may have others."""
        self._choices.clear()
        self._checked.clear()
        self._details.clear()
        self._own_models.clear()

    # -- sessions ----------------------------------------------------------------------------------------------------

    async def sessions(
        self, *, search: str | None = None, limit: int | None = None, archived: bool = False
    ) -> list[Json]:
        """List this directory's sessions, newest first, without sub-sessions; `search` matches part of the title.

        `limit` caps the number of sessions. `archived` includes archived ones (those with `time.archived`).
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
        """Find the session with this id, id prefix, title or part of a title, as `sessions` lists it.

        A full id works for any directory. Sessions that are not archived take precedence. Raises OpencodeError unless
        exactly one matches.
        """
        await self.start()
        if (info := await self._by_id(wanted)) is not None:
            return info
        listed = await self.sessions(archived=True)
        present = [info for info in listed if not is_archived(info)]
        found = _matching(wanted, present) or _matching(wanted, listed)
        if len(found) != 1:
            raise OpencodeError(_not_one(wanted, found, present))
        return found[0]

    async def _by_id(self, wanted: str) -> Json | None:
        if not wanted.startswith(SESSION_ID):
            return None
        try:
            return dict(await self.client.session.get(wanted))
        except NotFoundError:
            return None

    async def can_share(self) -> bool:
        """Whether OpenCode's configuration allows sharing sessions."""
        await self.start()
        return not self.lacks("share") and (await self.client.config.get()).get("share") != "disabled"

    # -- models ------------------------------------------------------------------------------------------------------

    async def models(self) -> list[str]:
        """List the available models as "provider/model"."""
        return [str(model["id"]) for model in await self.models_detail()]

    async def models_detail(self) -> list[Json]:
        """List the available models with all that the server knows of them, each as a dict.

        - `id`: "provider/model"; `name`; `provider`: its name; `family`; `status`: active, beta, alpha or deprecated;
          `released`: a date such as "2025-10-17". Texts are "" if unknown.
        - `variants`: names, such as the reasoning efforts; `default`: whether it is its provider's default.
        - `context`, `output`, `input_limit`: limits in tokens; 0 if unknown or not limited apart.
        - `reasoning`, `tools`, `attachment`, `temperature` (whether it can be set), `interleaved` (whether it thinks
          between tool calls too): booleans.
        - `input`, `output_modalities`: what a prompt and an answer may contain: text, image, pdf, audio, video.
        - `cost`: USD per million tokens, by `input`, `output`, `cache_read`, `cache_write`.
        """
        await self.start()
        listed: Any = await self.client.config.providers()
        defaults = listed.get("default") or {}
        found = [
            _model(provider, name, model, default=defaults.get(provider["id"]) == name)
            for provider in listed["providers"]
            for name, model in provider["models"].items()
        ]
        self._details = {model["id"]: model for model in found}
        return found

    async def details(self) -> dict[str, Json]:
        """Return `models_detail` by "provider/model"; cached."""
        if not self._details:
            await self.models_detail()
        return self._details

    async def windows(self) -> dict[str, int]:
        """Context sizes in tokens, by "provider/model"; cached."""
        return {name: model["context"] for name, model in (await self.details()).items()}

    async def model_of_agent(self, agent: str | None) -> str:
        """Return the agent's own "provider/model", which the server prefers to the session's; "" if it has none.

        None is the agent of prompts that do not name one. Cached.
        """
        if agent not in self._own_models:
            name = agent or await self.default_agent()
            agents: list[Any] = await self.client.app.agents()
            own = next((one.get("model") for one in agents if one["name"] == name), None)
            self._own_models[agent] = f"{own['providerID']}/{own['modelID']}" if own else ""
        return self._own_models[agent]

    def first_time(self, text: str) -> bool:
        """Whether this is called with such a text for the first time: for what is to be said once."""
        is_new = text not in self._said
        self._said.add(text)
        return is_new

    async def model_choice(self, model: str | None = None, agent: str | None = None) -> ModelChoice:
        """Which model a prompt would use, and what selected it.

        Raises NoModelError if none is set up, ModelError if there is no such model.
        """
        await self.start()
        asked = (model or self.model, agent or self.agent)
        if asked not in self._choices:
            self._choices[asked] = await self._choose(*asked)
        return self._choices[asked]

    async def _choose(self, model: str | None, agent: str | None) -> ModelChoice:
        """Choose a model. If there is none, choose again from what was set up since the server looked."""
        try:
            choice = await choose_model(self.client, model, agent)
        except ModelError as error:
            if await self.renew():
                return await self._choose(model, agent)
            if isinstance(error, NoModelError):
                error.login = login_command(self.managed.status().program if self.managed else None)
            raise
        of_demo = self.demo and choice.chosen_by == "configuration"
        return replace(choice, chosen_by="demo") if of_demo else choice

    async def check(self, model: str | None, agent: str | None) -> None:
        """Raise ModelError for an unknown model, OpencodeError for an unknown agent, before anything is sent.

        The server would accept the prompt, fail with a bare 500, and keep the wrong model for the whole session.
        """
        if model:
            await self.model_choice(model)
        if agent and agent not in self._checked:
            found = {str(one["name"]): bool(one.get("hidden")) for one in await self.client.app.agents()}
            if agent not in found:
                names = [name for name, hidden in found.items() if not hidden]
                meant = did_you_mean(agent, names)
                raise OpencodeError(f"There is no agent {agent!r} here.{meant} Available agents: {', '.join(names)}.")
            self._checked.add(agent)

    # -- agents and commands -------------------------------------------------------------------------------------------

    async def agents(self) -> list[Json]:
        """List the agents that take prompts, with their `description`: no subagents, no hidden agents."""
        await self.start()
        found = await self.client.app.agents()
        return [agent for agent in found if agent.get("mode") != "subagent" and not agent.get("hidden")]

    async def default_agent(self) -> str:
        """Return the agent for prompts that do not name one."""
        configured = (await self.client.config.get()).get("default_agent")
        return str(configured or next((agent["name"] for agent in await self.agents()), "build"))

    async def commands(self) -> list[Json]:
        """List the server's slash commands: built-in, the user's, and those from MCP servers and skills."""
        await self.start()
        return list(await self.client.command.list())

    async def command(self, name: str) -> Json:
        """Return the command with this name, with or without its slash. Raises OpencodeError if it is unknown."""
        wanted = name.removeprefix("/")
        found = {str(command["name"]): command for command in await self.commands()}
        if wanted not in found:
            meant = did_you_mean(wanted, found, "/{}", most=1)
            there = ", ".join(f"/{name}" for name in sorted(found))
            raise OpencodeError(f"There is no command /{wanted}.{meant} Available commands: {there}.")
        return found[wanted]

    # -- completion and mentions ---------------------------------------------------------------------------------------

    async def complete(
        self, text: str, cursor: int | None = None, *, variables: Iterable[str] = (), limit: int = completion.LIMIT
    ) -> list[Completion]:
        """Complete the word at `cursor` (default: the end), best match first.

        A leading `/` completes commands, all that match; `@` completes files, agents and the caller's `variables`.
        """
        word = completion.word_at(text, len(text) if cursor is None else cursor)
        if word is None:
            return []
        await self.start()
        if word.kind == "command":
            return completion.commands(word, commands.offered(await self.commands()))
        agents: list[Any] = await self.client.app.agents()
        query = word.text.rstrip("/")  # with a trailing slash the server finds only folders, not their files
        files = await self._find(query, limit)
        return completion.mentions(word, files, [a for a in agents if not a.get("hidden")], variables, limit)

    async def mentions(self, text: str, variables: Collection[str] = ()) -> list[Json]:
        """Return the prompt parts for existing files (`@path`) and agents (`@agent`) that a text mentions.

        `variables` are names that the text mentions and the caller knows. Raises FileNotFoundError, with close matches,
        for a mention that was meant as a file, such as `@no-such.py`.
        """
        if "@" not in text:
            return []
        await self.start()
        names = {str(agent["name"]) for agent in await self.client.app.agents()}
        missing = await asyncio.to_thread(prompt_parts.missing, text, self.directory, names, variables)
        if missing:
            raise FileNotFoundError(await self._not_found(missing[0]))
        return await asyncio.to_thread(prompt_parts.mentioned, text, self.directory, names)

    async def _not_found(self, name: str) -> str:
        meant = did_you_mean(name, await self._similar_files(name), "@{}")
        step = "Without the @, or in backticks, it is sent as text. Nothing was sent."
        return f"No such file: @{name} (looked in {self.directory}).{meant} {step}"

    async def _find(self, query: str, limit: int) -> list[Any]:
        return [] if self.lacks("files") else list(await self.client.find.files(query=query, limit=limit))

    async def _similar_files(self, name: str) -> list[str]:
        """Search for files by the name, then by its beginning: the server finds only names with all the letters."""
        stem = PurePath(name).stem
        for query in (stem, stem[:BEGINNING]):
            if close := closest(name, map(str, await self._find(query, SIMILAR))):
                return close
        return []


def _model(provider: Json, name: str, model: Json, *, default: bool) -> Json:
    can, limit, cost = (model.get(key) or {} for key in ("capabilities", "limit", "cost"))
    return {
        "id": f"{provider['id']}/{name}",
        "name": str(model.get("name") or name),
        "provider": str(provider.get("name") or provider["id"]),
        "family": str(model.get("family") or ""),
        "status": str(model.get("status") or ""),
        "released": str(model.get("release_date") or ""),
        "variants": list(model.get("variants") or {}),
        "context": int(limit.get("context") or 0),
        "output": int(limit.get("output") or 0),
        "input_limit": int(limit.get("input") or 0),
        "reasoning": bool(can.get("reasoning")),
        "tools": bool(can.get("toolcall")),
        "attachment": bool(can.get("attachment")),
        "temperature": bool(can.get("temperature")),
        "interleaved": bool(can.get("interleaved")),
        "input": _true_ones(can.get("input")),
        "output_modalities": _true_ones(can.get("output")),
        "cost": {
            **{key: float(cost.get(key) or 0) for key in ("input", "output")},
            **{f"cache_{key}": float((cost.get("cache") or {}).get(key) or 0) for key in ("read", "write")},
        },
        "default": default,
    }


def _true_ones(flags: Json | None) -> list[str]:
    return [name for name, flag in (flags or {}).items() if flag]
