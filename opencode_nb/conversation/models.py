"""Which model a prompt goes to, and who chose it."""

from __future__ import annotations

from dataclasses import dataclass

from opencode_nb.api.client import AsyncClient
from opencode_nb.errors import OpencodeError

FREE_PUBLIC_PROVIDER = "opencode"
"""The provider that works without a login: what is sent to it leaves the machine although nobody chose so."""


class ModelError(OpencodeError):
    """No model can be used, or the chosen one is not there."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """`model` is "provider/model"; `chosen_by` is option, configuration, or default (the server's own pick)."""

    model: str
    name: str
    provider_name: str
    chosen_by: str

    @property
    def unasked_public(self) -> bool:
        """Whether the content would go to a free public provider that the user never chose."""
        return self.chosen_by == "default" and self.model.split("/", 1)[0] == FREE_PUBLIC_PROVIDER


def split_model(model: str) -> tuple[str, str]:
    """ "provider/model" -> (provider, model); the model's own name may hold slashes. Raises ValueError."""
    provider, slash, name = model.partition("/")
    if not (provider and slash and name):
        raise ValueError(f"model={model!r}: expected provider/model, such as anthropic/claude-sonnet-4-5.")
    return provider, name


async def choose_model(client: AsyncClient, model: str | None) -> ModelChoice:
    """The model that a prompt without further options goes to.

    Order: `model` itself, the configuration's, the server's default (which knows the terminal UI's last choice).
    Raises ModelError where there is none, or the named one is unknown.
    """
    listed = await client.config.providers()
    providers = {provider["id"]: provider for provider in listed["providers"]}
    if model:
        return _named(model, "option", providers)
    configured = (await client.config.get()).get("model")
    if configured:
        return _named(configured, "configuration", providers)
    if not providers:
        raise ModelError(_NONE)
    provider = next(iter(providers))
    default = (listed.get("default") or {}).get(provider) or next(iter(providers[provider]["models"]))
    return _named(f"{provider}/{default}", "default", providers)


def _named(model: str, chosen_by: str, providers: dict[str, dict[str, object]]) -> ModelChoice:
    provider_id, model_id = split_model(model)
    provider = providers.get(provider_id)
    models = provider["models"] if provider else {}
    if provider is None or not isinstance(models, dict) or model_id not in models:
        raise ModelError(f"There is no model {model} here. {_available(providers)}")
    return ModelChoice(
        model, str(models[model_id].get("name", model_id)), str(provider.get("name", provider_id)), chosen_by
    )


def _available(providers: dict[str, dict[str, object]]) -> str:
    names = [f"{key}/{model}" for key, provider in providers.items() for model in list(provider["models"])[:3]]  # type: ignore[call-overload]  # the server's JSON
    if not names:
        return _NONE
    return f"Set up are: {', '.join(names[:9])}{', …' if len(names) > 9 else ''}. Choose one with -m provider/model."


_NONE = (
    "No model is set up. Log in to a provider with `opencode auth login` in a terminal, name one in OpenCode's "
    "configuration, or try the scripted demo (not an AI) with %opencode start --demo."
)
