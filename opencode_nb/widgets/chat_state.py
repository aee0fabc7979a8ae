"""The state of a panel's controls, as one dict for the page: session, model, meter, connection."""

from __future__ import annotations

from opencode_nb.session.models import ModelError
from opencode_nb.session.queue import QueueItem
from opencode_nb.session.session import AsyncSession
from opencode_nb.transcript import usage
from opencode_nb.transcript.state import Json


class Facts:
    """The facts a page gets besides the transcript. `learn` fetches what rarely changes; `state` is cheap."""

    def __init__(self) -> None:
        self._agents: list[Json] = []
        self._models_of_agents: dict[str, str] = {}
        self._models: dict[str, Json] = {}
        self._default_model = ""
        self._git = True
        self._can_share = False
        self._notice: Json | None = None
        self._notices = 0

    async def learn(self, session: AsyncSession) -> None:
        """Fetch models, agents and permissions from the server."""
        owner = session.owner
        agents = await owner.agents()
        self._agents = [
            {"name": str(agent["name"]), "description": str(agent.get("description") or "")} for agent in agents
        ]
        own = {str(agent["name"]): agent.get("model") for agent in agents}
        self._models_of_agents = {
            name: f"{model['providerID']}/{model['modelID']}" for name, model in own.items() if model
        }
        self._models = {str(model["id"]): model for model in await owner.models_detail()}
        self._default_model = await _default_model(session)
        self._git = (await owner.client.project.current()).get("vcs") == "git"
        self._can_share = await owner.can_share()

    def notify(self, text: str, level: str = "info", again: Json | None = None) -> None:
        """Add a notice to the next `state`, for news the page did not ask for. Level: info, warning or error.

        `again` is the intent that forces the action, if that is possible.
        """
        self._notices += 1
        self._notice = {"n": self._notices, "text": text, "level": level, "again": again}

    def dismiss(self) -> None:
        """Remove the notice."""
        self._notice = None

    def state(self, session: AsyncSession, *, at_end: bool) -> Json:
        """Return the page's `state` trait without its serial number; plain JSON without secrets."""
        transcript = session.transcript
        model = _model(session) or self._models_of_agents.get(session.agent or "") or self._default_model
        return {
            "session": _session(session),
            "deleted": transcript.deleted,
            "busy": session.busy,
            "outcome": _outcome(session),
            "status": str(transcript.status.get("type") or "idle"),
            "model": model,
            "agent": session.agent or str(transcript.info.get("agent") or "build"),
            "variant": session.variant or "",
            "variants": list(self._models.get(model, {}).get("variants") or []),
            "agents": self._agents,
            "meter": self._meter(session, model),
            "connection": _connection(session),
            "queue": [_waiting(item) for item in session.queue.items],
            "paused": session.queue.paused,
            "undone": _undone(session),
            "can_share": self._can_share,
            "git": self._git,
            "at_end": at_end,
            "notice": self._notice,
        }

    def _meter(self, session: AsyncSession, model: str) -> Json:
        """Return how full the model's context window is after the last step, and the session's cost."""
        windows = {name: int(known["context"]) for name, known in self._models.items()}
        context = usage.context(session.transcript.visible_turns, windows)
        window = context.window or windows.get(model, 0)
        share = context.tokens / window if window else 0.0
        return {"tokens": context.tokens, "window": window, "share": share, "cost": session.cost}


async def _default_model(session: AsyncSession) -> str:
    try:
        return (await session.owner.model_choice()).model
    except ModelError:  # none is configured: the next prompt says so
        return ""


def _model(session: AsyncSession) -> str:
    """Return this session's own model for the next prompt, if it has one."""
    of_server = session.transcript.info.get("model") or {}
    chosen = f"{of_server.get('providerID', '')}/{of_server.get('id', '')}" if of_server else ""
    return session.model or chosen


def _session(session: AsyncSession) -> Json:
    info = session.transcript.info
    return {
        "id": session.id,
        "title": session.title,
        "directory": str(info.get("directory") or session.owner.directory),
        "shared_url": session.shared_url,
    }


def _outcome(session: AsyncSession) -> str:
    """Return the last turn's status; "" without turns."""
    turns = session.transcript.visible_turns
    return turns[-1].status if turns else ""


def _connection(session: AsyncSession) -> Json:
    connection = session.owner.connection
    return {"state": connection.state, "error": connection.error}


def _waiting(item: QueueItem) -> Json:
    files = [str(part.get("filename") or "file") for part in item.files]
    return {"id": item.id, "text": item.text, "files": ", ".join(files)}


def _undone(session: AsyncSession) -> str:
    """Return the text of the first undone message: the page offers it for editing."""
    undone = session.transcript.undone_turns
    prompt = undone[0].prompt if undone else None
    return prompt.text if prompt else ""
