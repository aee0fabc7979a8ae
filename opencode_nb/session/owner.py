"""Owner: what a session and its views use of the agent that opened the session."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from opencode_nb.api.client import AsyncClient
from opencode_nb.api.features import FEATURES
from opencode_nb.functions.collection import Tools
from opencode_nb.retry import Retry
from opencode_nb.secret import Secret
from opencode_nb.server import Server
from opencode_nb.server.files import SetupFiles
from opencode_nb.session.hooks.dispatch import Dispatcher
from opencode_nb.session.incoming.feed import ConnectionState, Feed
from opencode_nb.session.mcp.servers import AsyncMcpServers
from opencode_nb.session.models import ModelChoice
from opencode_nb.session.permissions.approvals import Approvals
from opencode_nb.session.permissions.enforcement import Enforcement
from opencode_nb.session.permissions.policy import PermissionOption, Policy
from opencode_nb.session.permissions.questions import QuestionCallback
from opencode_nb.session.prompt.completion import Completion
from opencode_nb.spending.budget import Budget
from opencode_nb.transcript.state import Json, TurnState

if TYPE_CHECKING:
    from opencode_nb.recording.recording import Recording


class Owner(Protocol):
    """The agent that opened a session: its connection, defaults and lists. Implemented by `AsyncOpencode`."""

    directory: Path
    managed: Server | None
    environment: Mapping[str, str]
    version: str
    name: str
    recording: Recording | None
    model: str | None
    agent: str | None
    variant: str | None
    effort: str | None
    timeout: float | None
    budget: Budget | None
    turn_limits: Mapping[str, float]
    retry: Retry | None
    policy: Policy
    approvals: Approvals
    enforcement: Enforcement
    hooks: Dispatcher
    on_question: QuestionCallback | None
    answer_timeout: float | None
    mcp: AsyncMcpServers
    tools: Tools

    @property
    def client(self) -> AsyncClient:
        """Client for every operation of the server's API."""

    def lacks(self, feature: str) -> str:
        """Return why there is no such feature; "" if there is."""

    def need(self, feature: str) -> None:
        """Raise OpencodeError if there is no such feature."""

    @property
    def password(self) -> Secret | None:
        """The server's password."""

    @property
    def feed(self) -> Feed:
        """The event stream."""

    @property
    def connection(self) -> ConnectionState:
        """State of the event stream."""

    async def start(self) -> object:
        """Start or join the server, unless it is connected."""

    async def reconnect(self) -> object:
        """Reconnect at once."""

    @property
    def demo(self) -> bool:
        """Whether the model is the scripted demo."""

    async def start_demo(self) -> object:
        """Continue with the scripted demo model."""

    async def renew(self, *, unseen: bool = False) -> bool:
        """Have the server read changed logins and configuration."""

    async def setup_files(self) -> SetupFiles:
        """Return when each file that sets up models was modified."""

    async def use_model(self, model: str) -> None:
        """Use this model for prompts that name none."""

    async def session(self, title: str | None = None, *, id: str | None = None) -> Any:
        """Open a session: an AsyncSession."""

    def policy_of(self, permission: PermissionOption) -> Policy:
        """Return the policy of a `permission=` option."""

    async def player(self, path: str | Path) -> Any:
        """Return the session that plays a recording here: an AsyncSession."""

    def face_of(self, session_id: str) -> Any:
        """Return an open session as the user has it: an AsyncSession, or a blocking Session."""

    def use(self, session: Any, /) -> None:
        """Keep a session open for a while."""

    def forget(self, session_id: str) -> None:
        """Drop a deleted session."""

    def allow_approved(self, turn: TurnState) -> None:
        """Allow what an earlier "always" covers in a turn that another client sent."""

    async def check(self, model: str | None, agent: str | None) -> None:
        """Raise if the server does not have this model or agent."""

    async def model_choice(self, model: str | None = None, agent: str | None = None) -> ModelChoice:
        """Return the model that a prompt would use."""

    async def model_of_agent(self, agent: str | None) -> str:
        """Return the agent's own model; "" if it has none."""

    async def details(self) -> dict[str, Json]:
        """Return the available models and their capabilities, by "provider/model"; cached."""

    def first_time(self, text: str) -> bool:
        """Whether this is called with such a text for the first time."""

    async def windows(self) -> dict[str, int]:
        """Return the context size of each model, in tokens."""

    async def sessions(
        self, *, search: str | None = None, limit: int | None = None, archived: bool = False
    ) -> list[Json]:
        """Return the sessions of the directory, newest first."""

    async def find_session(self, wanted: str) -> Json:
        """Return the session with this id, start of an id, or title. Raises OpencodeError unless one matches."""

    async def models_detail(self) -> list[Json]:
        """Return the available models and their capabilities."""

    async def agents(self) -> list[Json]:
        """Return the agents that can answer prompts."""

    async def default_agent(self) -> str:
        """Return the default agent for prompts."""

    async def commands(self) -> list[Json]:
        """Return the slash commands."""

    async def command(self, name: str) -> Json:
        """Return one slash command. Raises OpencodeError if there is no such command."""

    async def complete(
        self, text: str, cursor: int | None = None, *, variables: Iterable[str] = ()
    ) -> list[Completion]:
        """Return completions for the word at the cursor."""

    async def mentions(self, text: str, variables: Collection[str] = ()) -> list[Json]:
        """Return parts for the files and agents that a text mentions. Raises FileNotFoundError for a mistyped file."""

    async def can_share(self) -> bool:
        """Return whether sharing is enabled."""


def lacking(owner: Owner) -> dict[str, str]:
    """Return the features that are lacking, each with the reason."""
    return {name: why for name in FEATURES if (why := owner.lacks(name))}
