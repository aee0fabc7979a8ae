"""Which model a prompt uses, and what selected it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from opencode_nb.api.client import AsyncClient
from opencode_nb.closest import did_you_mean
from opencode_nb.errors import ModelError
from opencode_nb.session.prompt import variants

FREE_PUBLIC_PROVIDER = "opencode"
"""The provider that works without a login: prompts would go to a public service that the user never chose."""


Providers = dict[str, Mapping[str, Any]]
"""The server's providers by id; each holds its `models` by id."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """`model` is "provider/model", `variant` the one named with it or ""; `chosen_by` is a key of `SOURCES`."""

    model: str
    name: str
    provider_name: str
    chosen_by: str
    variant: str = ""

    @property
    def full_name(self) -> str:
        """The "provider/model", or "provider/model/variant" with a variant."""
        return f"{self.model}/{self.variant}" if self.variant else self.model

    @property
    def source(self) -> str:
        """Where it comes from, in words."""
        return SOURCES[self.chosen_by]

    @property
    def title(self) -> str:
        """Its name and provider's name; "" if they say no more than the rest of it."""
        provider, name = split_model(self.model)
        if self.chosen_by == "demo" or (self.name, self.provider_name) == (name, provider):
            return ""
        return self.name if self.name == self.provider_name else f"{self.name} · {self.provider_name}"


SOURCES = {
    "option": "your choice",
    "configuration": "from your OpenCode configuration",
    "last choice": "last used in OpenCode's terminal UI",
    "default": "OpenCode's default for your provider",
    "demo": "the scripted demo, which is not an AI",
}
"""What selects a model -> how it is called."""


class Place(NamedTuple):
    """What is typed in a place to start the demo, to choose the model `{}` and to log in, and what to do after it."""

    demo: str
    model: str
    login: str = ""
    then: str = ""


CELL = Place("%opencode start --demo", "%opencode start -m {}", "%opencode login PROVIDER", ", then your prompt")
SHELL = Place("opencode-nb ask --demo", "opencode-nb ask -m {}")


class NoModelError(ModelError):
    """No model is set up yet; nothing was sent. `free` is the public one that OpenCode would use unasked, if any.

    `login` is the command that logs in to a provider, in a terminal. The message names the next steps in Python.
    """

    def __init__(self, free: ModelChoice | None = None) -> None:
        super().__init__(free)
        self.free, self.login = free, "opencode auth login"

    def __str__(self) -> str:
        own = f"Log in to a provider with `{self.login}` in a terminal"
        demo = "pass demo=True to try the scripted demo, which is not an AI"
        free = f' Or pass model="{self.free.model}" to use {self.free_is}.' if self.free else ""
        return f"{NO_MODEL} {own}, or {demo}.{free}"

    @property
    def free_is(self) -> str:
        """What the free model is, and what using it sends where, in a line."""
        to = self.free.provider_name if self.free else ""
        return f"OpenCode's free model: your prompts and files go to {to}, a public service"

    def told_in(self, place: Place) -> str:
        """One line, and below it what to type in this place."""
        ways = [(place.demo, "try the scripted demo, which is not an AI")]
        ways += [(place.model.format(self.free.model), f"use {self.free_is}")] if self.free else []
        ways += [(place.login, "log in to a provider of your own")] if place.login else []
        width = max(len(command) for command, _ in ways)
        ways += [(self.login, "log in to a provider of your own, in a terminal")]
        first = f"{NO_MODEL} Run one of these{place.then}:"
        return "\n".join([first, *(f"  {typed:<{width}}  {use}" for typed, use in ways)])


NO_MODEL = "No model is set up yet."


def sends_to(free: ModelChoice) -> str:
    """What using the free public model sends where."""
    where = f"{free.provider_name}, a public service at opencode.ai"
    return f"{free.name}: your prompts, and what the agent reads, are sent to {where}."


def told_in(error: BaseException, place: Place) -> str:
    """Return an error's message, with the next steps as typed in this place."""
    return error.told_in(place) if isinstance(error, NoModelError) else str(error)


def split_model(model: str) -> tuple[str, str]:
    """Split "provider/model" into its two parts; the model name may contain slashes. Raises ValueError."""
    provider, slash, name = model.partition("/")
    if not (provider and slash and name):
        raise ValueError(f"model={model!r}: expected provider/model, such as anthropic/claude-sonnet-4-5.")
    return provider, name


async def choose_model(client: AsyncClient, model: str | None, agent: str | None = None) -> ModelChoice:
    """Return the model for a session's first prompt.

    In order of precedence: `model`, the agent's model, the configured model, the terminal UI's last choice (the server
    applies these itself), the default of a logged-in provider; never that of the free public one. `model` may lack its
    provider (see `_full_name`) and may name a variant. Raises NoModelError if there is none, ModelError if the named
    one or its variant is unknown.
    """
    listed = await client.config.providers()
    providers: Providers = {provider["id"]: provider for provider in listed["providers"]}
    if model:
        return _given(model, providers)
    config = await client.config.get()
    own = await _model_of_agent(client, agent or config.get("default_agent") or "build")
    if own or config.get("model"):
        return _named(own or str(config["model"]), "configuration", providers)
    if not providers:
        raise NoModelError
    last = await _last_choice(client, providers)
    if last:
        return _named(last, "last choice", providers)
    provider = min(providers, key=lambda name: name == FREE_PUBLIC_PROVIDER)
    default = (listed.get("default") or {}).get(provider) or next(iter(providers[provider]["models"]))
    choice = _named(f"{provider}/{default}", "default", providers)
    if _is_free_public(providers[provider]):
        raise NoModelError(choice)
    return choice


def announcement(choice: ModelChoice) -> str:
    """Return a line that names the model, what selected it, and its name and provider."""
    if not choice.model:
        return "Model: the agent's own choice"
    return f"Model: {choice.full_name} ({choice.source}){f': {choice.title}' if choice.title else ''}"


def _is_free_public(provider: Mapping[str, Any]) -> bool:
    """Whether this is the free public provider without a login or key of the user's."""
    return provider["id"] == FREE_PUBLIC_PROVIDER and provider.get("source") == "custom"


async def _model_of_agent(client: AsyncClient, name: str) -> str | None:
    agents: list[Any] = await client.app.agents()
    model = next((agent.get("model") for agent in agents if agent["name"] == name), None)
    return f"{model['providerID']}/{model['modelID']}" if model else None


async def _last_choice(client: AsyncClient, providers: Providers) -> str | None:
    """Return the terminal UI's most recent available model, from the file that the server reads too."""
    state = Path((await client.path.get())["state"]) / "model.json"
    try:
        recent = json.loads(state.read_text(encoding="utf-8"))["recent"]
        names = [(str(item["providerID"]), str(item["modelID"])) for item in recent]
    except (OSError, ValueError, KeyError, TypeError):  # no choice yet, a remote server, or an unknown format
        return None
    known = (f"{provider}/{model}" for provider, model in names if model in _models(providers, provider))
    return next(known, None)


def _models(providers: Providers, provider: str) -> Mapping[str, Any]:
    models: Mapping[str, Any] = providers[provider]["models"] if provider in providers else {}
    return models


def _given(given: str, providers: Providers) -> ModelChoice:
    """Return the choice of a model that the user named, alone or as "provider/model/variant": the longest model first.

    Model ids contain slashes themselves. Raises ModelError.
    """
    model, variant = _read(given, providers)
    choice = _named(model, "option", providers)
    provider, name = split_model(model)
    has = list(_models(providers, provider)[name].get("variants") or {})
    if variant and variant not in has:
        raise ModelError(variants.unknown(model, variant, has))
    return replace(choice, variant=variant)


def _read(given: str, providers: Providers) -> tuple[str, str]:
    """Return the "provider/model" and the variant in a name; what was given if no beginning of it is a model."""
    known = _names(providers)
    for name, variant in variants.splits(given):
        if variant and name in providers:  # its model is unknown
            break
        model = _full_name(name, providers)
        if model in known:
            return model, variant
    return given, ""


def _full_name(model: str, providers: Providers) -> str:
    """Return "provider/model" for a model without its provider, if exactly one provider has it; else what was given.

    Never the free public provider: prompts go there only if the user names it. Raises ModelError if several have it.
    """
    if model in _names(providers):
        return model
    found = [name for name in providers if model in _models(providers, name) and name != FREE_PUBLIC_PROVIDER]
    if len(found) > 1:
        raise ModelError(f"Several providers have {model}: use {' or '.join(f'{name}/{model}' for name in found)}.")
    return f"{found[0]}/{model}" if found else model


def _names(providers: Providers) -> list[str]:
    return [f"{provider}/{model}" for provider in providers for model in _models(providers, provider)]


def _named(model: str, chosen_by: str, providers: Providers) -> ModelChoice:
    provider_id, _, model_id = model.partition("/")
    known = _models(providers, provider_id).get(model_id)
    if known is None:
        where = "" if chosen_by == "option" else f" ({SOURCES[chosen_by]})"
        meant = did_you_mean(model, _names(providers))
        raise ModelError(f"There is no model {model} here{where}.{meant} {_available(providers)}")
    provider_name = str(providers[provider_id].get("name", provider_id))
    return ModelChoice(model, str(known.get("name", model_id)), provider_name, chosen_by)


def _available(providers: Providers) -> str:
    names = [f"{provider}/{model}" for provider in providers for model in list(_models(providers, provider))[:3]]
    if not names:
        return NO_MODEL
    return f"Available models: {', '.join(names[:9])}{', …' if len(names) > 9 else ''}."
