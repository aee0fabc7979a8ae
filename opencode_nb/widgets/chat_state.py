"""What a panel's controls show, as one dict for the page: the session, the model, the meter, the connection."""

from __future__ import annotations

from opencode_nb.conversation.models import ModelError
from opencode_nb.conversation.session import AsyncSession
from opencode_nb.conversation.state import Json


class Facts:
    """What a page is told beside the transcript. `learn` asks the server what rarely changes; `state` is cheap."""

    def __init__(self) -> None:
        self._agents: list[Json] = []
        self._models: dict[str, Json] = {}
        self._default_model = ""
        self._git = True
        self._can_share = False
        self._notice: Json | None = None
        self._notices = 0

    async def learn(self, session: AsyncSession) -> None:
        """Ask the server which models and agents there are, and what is allowed."""
        owner = session.owner
        self._agents = [
            {"name": str(agent["name"]), "description": str(agent.get("description") or "")}
            for agent in await owner.agents()
        ]
        self._models = {str(model["id"]): model for model in await models(session)}
        self._default_model = await _default_model(session)
        self._git = (await owner.client.project.current()).get("vcs") == "git"
        self._can_share = (await owner.client.config.get()).get("share") != "disabled"

    def notify(self, text: str, level: str = "info") -> None:
        """Tell something that no answer can tell; the next `state` has it. Level: info, warning or error."""
        self._notices += 1
        self._notice = {"n": self._notices, "text": text, "level": level}

    def dismiss(self) -> None:
        """Take the notice away."""
        self._notice = None

    def state(self, session: AsyncSession, *, at_end: bool) -> Json:
        """The page's `state` trait but for its serial number; plain JSON, and nothing secret in it."""
        transcript = session.transcript
        model = _model(session) or self._default_model
        return {
            "session": _session(session),
            "busy": session.busy,
            "status": str(transcript.status.get("type") or "idle"),
            "model": model,
            "agent": session.agent or str(transcript.info.get("agent") or "build"),
            "variant": session.variant or "",
            "variants": list(self._models.get(model, {}).get("variants") or []),
            "agents": self._agents,
            "meter": _meter(session, self._models.get(model, {}).get("context")),
            "connection": _connection(session),
            "queue": [],
            "undone": _undone(session),
            "can_share": self._can_share,
            "git": self._git,
            "at_end": at_end,
            "notice": self._notice,
        }


async def models(session: AsyncSession) -> list[Json]:
    """The models that can be used now: `[{id, name, provider, variants, context}]`; context is a number of tokens."""
    providers = (await session.owner.client.config.providers())["providers"]
    return [
        {
            "id": f"{provider['id']}/{name}",
            "name": str(model.get("name") or name),
            "provider": str(provider.get("name") or provider["id"]),
            "variants": list(model.get("variants") or {}),
            "context": int((model.get("limit") or {}).get("context") or 0),
        }
        for provider in providers
        for name, model in provider["models"].items()
    ]


async def _default_model(session: AsyncSession) -> str:
    try:
        return (await session.owner.model_choice(agent=session.agent)).model
    except ModelError:  # none is set up: the next prompt says so
        return ""


def _model(session: AsyncSession) -> str:
    """The model that the next prompt goes to, if this session has one of its own."""
    of_server = session.transcript.info.get("model") or {}
    chosen = f"{of_server.get('providerID', '')}/{of_server.get('id', '')}" if of_server else ""
    return session.model or chosen


def _session(session: AsyncSession) -> Json:
    info = session.transcript.info
    return {
        "id": session.id,
        "title": session.title,
        "directory": str(info.get("directory") or session.owner.directory),
        "shared_url": str((info.get("share") or {}).get("url") or ""),
    }


def _meter(session: AsyncSession, window: int | None) -> Json:
    """How full the model's window is by the last step's count, and what the session has cost."""
    turns = session.transcript.visible_turns
    counts = [step.info.get("tokens") for turn in turns[-1:] for step in turn.steps.values()]
    tokens = max((_total(count) for count in counts if count), default=0)
    cost = session.transcript.info.get("cost")
    return {
        "tokens": tokens,
        "window": window or 0,
        "share": tokens / window if window else 0.0,
        "cost": float(cost or 0),
    }


def _total(tokens: Json) -> int:
    cache = tokens.get("cache") or {}
    parts = [tokens.get("input"), tokens.get("output"), tokens.get("reasoning"), cache.get("read"), cache.get("write")]
    return int(sum(part or 0 for part in parts))


def _connection(session: AsyncSession) -> Json:
    connection = session.owner.connection
    return {"state": connection.state, "error": connection.error}


def _undone(session: AsyncSession) -> Json | None:
    undone = session.transcript.undone_turns
    if not undone:
        return None
    parts = undone[0].prompt.parts.values() if undone[0].prompt else ()
    text = next((str(part.get("text")) for part in parts if part.get("type") == "text"), "")
    return {"count": len(undone), "text": text.split("\n", 1)[0]}
