"""Which model a prompt uses, and what selected it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencode_nb.api.client import AsyncClient
from opencode_nb.errors import OpencodeError

FREE_PUBLIC_PROVIDER = "opencode"
"""The provider that works without a login: prompts would go to a public service that the user never chose."""


Providers = dict[str, Mapping[str, Any]]
"""The server's providers by id; each holds its `models` by id."""


class ModelError(OpencodeError):
    """No model is available, or the requested one does not exist."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """`model` is "provider/model"; `chosen_by` is option, configuration, last choice (in the terminal), or default."""

    model: str
    name: str
    provider_name: str
    chosen_by: str

    @property
    def unasked_public(self) -> bool:
        """Whether prompts would go to a free public provider that the user never chose."""
        return self.chosen_by == "default" and self.model.split("/", 1)[0] == FREE_PUBLIC_PROVIDER


def split_model(model: str) -> tuple[str, str]:
    """Split "provider/model" into its two parts; the model name may contain slashes. Raises ValueError."""
    provider, slash, name = model.partition("/")
    if not (provider and slash and name):
        raise ValueError(f"model={model!r}: expected provider/model, such as anthropic/claude-sonnet-4-5.")
    return provider, name


async def choose_model(client: AsyncClient, model: str | None, agent: str | None = None) -> ModelChoice:
    """Return the model for a session's first prompt.

    In order of precedence: `model`, the agent's model, the configured model, the terminal UI's last choice (the server
    applies these itself), the default of a logged-in provider, the default of the free public one.
    Raises ModelError if there is none or the named one is unknown.
    """
    listed = await client.config.providers()
    providers: Providers = {provider["id"]: provider for provider in listed["providers"]}
    if model:
        return _named(model, "option", providers)
    config = await client.config.get()
    own = await _model_of_agent(client, agent or config.get("default_agent") or "build")
    if own or config.get("model"):
        return _named(own or str(config["model"]), "configuration", providers)
    if not providers:
        raise ModelError(_NONE)
    last = await _last_choice(client, providers)
    if last:
        return _named(last, "last choice", providers)
    provider = min(providers, key=lambda name: name == FREE_PUBLIC_PROVIDER)
    default = (listed.get("default") or {}).get(provider) or next(iter(providers[provider]["models"]))
    return _named(f"{provider}/{default}", "default", providers)


def announcement(choice: ModelChoice) -> str:
    """Return a line that names the model and provider, and warns about a public provider that nobody chose."""
    who = {
        "option": "your option",
        "configuration": "OpenCode's configuration",
        "last choice": "your last choice in the terminal",
        "default": "OpenCode's own default",
    }
    named = choice.name if choice.name == choice.provider_name else f"{choice.name} of {choice.provider_name}"
    line = f"Model: {choice.model} ({named}), by {who[choice.chosen_by]}."
    if choice.unasked_public:
        line += (
            " It is a free public provider that you did not choose, so nothing is sent there: log in to one of your "
            f"own with `opencode auth login`, accept it with -m {choice.model}, or try {_DEMO}."
        )
    return line


def refuse_unasked(choice: ModelChoice) -> None:
    """Raise ModelError for the default model of a free public provider that the user never chose."""
    if choice.unasked_public:
        raise ModelError(
            f"No model was chosen, and no provider of yours is set up. By default OpenCode would use {choice.model} "
            f"and send the content to {choice.provider_name}, a free public provider. Log in to your own provider with "
            f"`opencode auth login` in a terminal, accept this one with -m {choice.model}, or try "
            f"{_DEMO}."
        )


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


def _named(model: str, chosen_by: str, providers: Providers) -> ModelChoice:
    provider_id, model_id = split_model(model)
    known = _models(providers, provider_id).get(model_id)
    if known is None:
        raise ModelError(f"There is no model {model} here. {_available(providers)}")
    provider_name = str(providers[provider_id].get("name", provider_id))
    return ModelChoice(model, str(known.get("name", model_id)), provider_name, chosen_by)


def _available(providers: Providers) -> str:
    names = [f"{provider}/{model}" for provider in providers for model in list(_models(providers, provider))[:3]]
    if not names:
        return _NONE
    return f"Available: {', '.join(names[:9])}{', …' if len(names) > 9 else ''}. Choose one with -m provider/model."


_DEMO = "the scripted demo, which is not an AI (%opencode start --demo; opencode-nb ask --demo; demo=True)"
_NONE = (
    "No model is set up. Log in to a provider with `opencode auth login` in a terminal, name one in OpenCode's "
    f"configuration, or try {_DEMO}."
)
