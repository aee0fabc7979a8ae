"""The state of a panel's controls, as one dict for the page: session, model, meter, connection."""

from __future__ import annotations

from opencode_nb.errors import ModelError
from opencode_nb.session.models import SOURCES, ModelChoice, NoModelError, sends_to
from opencode_nb.session.owner import Owner, lacking
from opencode_nb.session.prompt.variants import splits
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
        self._default: ModelChoice | None = None
        self._missing: NoModelError | None = None
        self._git = True
        self._can_share = False
        self._notice: Json | None = None
        self._notices = 0

    async def learn(self, session: AsyncSession) -> None:
        """Fetch models, agents and permissions from the server."""
        owner = session.owner
        default, missing = await _default(owner)  # first: it may have the server read its configuration again
        agents = await owner.agents()
        self._agents = [
            {"name": str(agent["name"]), "description": str(agent.get("description") or "")} for agent in agents
        ]
        own = {str(agent["name"]): agent.get("model") for agent in agents}
        self._models_of_agents = {
            name: f"{model['providerID']}/{model['modelID']}" for name, model in own.items() if model
        }
        self._models = {str(model["id"]): model for model in await owner.models_detail()}
        self._default, self._missing = default, missing
        if not owner.lacks("undo"):
            self._git = (await owner.client.project.current()).get("vcs") == "git"
        self._can_share = await owner.can_share()

    @property
    def no_model(self) -> bool:
        """Whether no model is set up, as of the last `learn`."""
        return self._missing is not None

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
        model, source = self._model(session)
        return {
            "session": _session(session),
            "deleted": transcript.deleted,
            "busy": session.busy,
            "outcome": _outcome(session),
            "status": str(transcript.status.get("type") or "idle"),
            "model": model,
            "model_name": self._model_name(model),
            "model_source": source,
            "setup": None if model else _setup(self._missing),
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
            "lacks": lacking(session.owner),
            "git": self._git,
            "at_end": at_end,
            "notice": self._notice,
        }

    def _model(self, session: AsyncSession) -> tuple[str, str]:
        """Return the model of the next prompt, and where it comes from in words; "" if there is none."""
        if session.model:
            found = self._default if session.model == session.owner.model else None  # it may lack its provider
            known = (name for name, _variant in splits(session.model) if name in self._models)
            return found.model if found else next(known, session.model), SOURCES["option"]
        if of_session := usage.session_model(session.transcript.info):
            return of_session, "this session's model"
        if of_agent := self._models_of_agents.get(session.agent or ""):
            return of_agent, SOURCES["configuration"]
        if self._default and not self._default.model:
            told = usage.last_step(session.transcript.visible_turns)
            return f"{told['providerID']}/{told['modelID']}" if told.get("modelID") else "", "the agent's own choice"
        return (self._default.model, self._default.source) if self._default else ("", "")

    def _model_name(self, model: str) -> str:
        """Return a model's name with its provider's, for people."""
        known = self._models.get(model)
        if known is None:
            return model.partition("/")[2]
        name, provider = str(known["name"]), str(known["provider"])
        return name if name == provider else f"{name} · {provider}"

    def _meter(self, session: AsyncSession, model: str) -> Json:
        """Return how full the model's context window is after the last step, and the session's cost."""
        windows = {name: int(known["context"]) for name, known in self._models.items()}
        context = usage.context(session.transcript.visible_turns, windows)
        window = context.window or windows.get(model, 0)
        share = context.tokens / window if window else 0.0
        return {"tokens": context.tokens, "window": window, "share": share, "cost": session.cost}


async def _default(owner: Owner) -> tuple[ModelChoice | None, NoModelError | None]:
    """Return the model for prompts that name none, and why there is none."""
    try:
        return await owner.model_choice(), None
    except NoModelError as error:
        return None, error
    except ModelError:  # the configured one does not exist: the next prompt says so
        return None, None


def _setup(missing: NoModelError | None) -> Json | None:
    """Return what to offer while no model is set up."""
    if missing is None:
        return None
    free = missing.free
    return {"login": missing.login, "free": {"model": free.model, "sends": sends_to(free)} if free else None}


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
