"""What a panel's controls show, as one dict for the page: the session, the model, the meter, the connection."""

from __future__ import annotations

from opencode_nb.session.models import ModelError
from opencode_nb.session.queue import QueueItem
from opencode_nb.session.session import AsyncSession
from opencode_nb.transcript import usage
from opencode_nb.transcript.state import Json


class Facts:
    """What a page is told beside the transcript. `learn` asks the server what rarely changes; `state` is cheap."""

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
        """Ask the server which models and agents there are, and what is allowed."""
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
        """Tell something that no answer can tell; the next `state` has it. Level: info, warning or error.

        `again` is the intent that goes on all the same, where one can.
        """
        self._notices += 1
        self._notice = {"n": self._notices, "text": text, "level": level, "again": again}

    def dismiss(self) -> None:
        """Take the notice away."""
        self._notice = None

    def state(self, session: AsyncSession, *, at_end: bool) -> Json:
        """The page's `state` trait but for its serial number; plain JSON, and nothing secret in it."""
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
        """How full the model's window is after the last step, and what the session has cost."""
        windows = {name: int(known["context"]) for name, known in self._models.items()}
        context = usage.context(session.transcript.visible_turns, windows)
        window = context.window or windows.get(model, 0)
        share = context.tokens / window if window else 0.0
        return {"tokens": context.tokens, "window": window, "share": share, "cost": session.cost}


async def _default_model(session: AsyncSession) -> str:
    try:
        return (await session.owner.model_choice()).model
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
        "shared_url": session.shared_url,
    }


def _outcome(session: AsyncSession) -> str:
    """How the last turn has ended, as its status; "" where there is none."""
    turns = session.transcript.visible_turns
    return turns[-1].status if turns else ""


def _connection(session: AsyncSession) -> Json:
    connection = session.owner.connection
    return {"state": connection.state, "error": connection.error}


def _waiting(item: QueueItem) -> Json:
    files = [str(part.get("filename") or "file") for part in item.files]
    return {"id": item.id, "text": item.text, "files": ", ".join(files)}


def _undone(session: AsyncSession) -> str:
    """The text of the first message that is undone: the page offers it to be written anew."""
    undone = session.transcript.undone_turns
    return session._turn(undone[0]).prompt if undone else ""
