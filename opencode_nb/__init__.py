"""OpenCode, the open-source coding agent, inside Jupyter: cell magics, live widgets, and the whole server from Python.

    %load_ext opencode_nb        then %%prompt in a cell, and %opencode help
    opencode_nb.diff()           look through what was changed, and take back what you don't want
    opencode_nb.Opencode()       sessions and turns from plain Python
    opencode_nb.Client(url)      every operation of the server

Names load when first used, so that `import opencode_nb` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from . import types
    from .acp.agent import AcpAgent, AsyncAcpAgent
    from .acp.transport import Transport
    from .api.client import AsyncClient, Client
    from .api.record import Record
    from .changes.diff import Diff, FileDiff
    from .errors import (
        AbortedError,
        APIConnectionError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        BinaryNotFoundError,
        BudgetExceededError,
        ConflictError,
        ContentFilterError,
        ContextOverflowError,
        DiffConflictError,
        InternalServerError,
        InvalidModelError,
        InvalidResponseError,
        ModelError,
        NotFoundError,
        NotSupportedError,
        OpencodeError,
        OutputLimitError,
        PermissionDeniedError,
        PromptBlockedError,
        ProviderAuthError,
        ProviderOverloadedError,
        RateLimitError,
        ServerError,
        ServerExitedError,
        ServerGoneError,
        ServerStartError,
        StructuredOutputError,
        TurnError,
        TurnRateLimitError,
        TurnTimeoutError,
        UnprocessableEntityError,
    )
    from .functions.asking import choose, confirm, input
    from .functions.collection import Tools
    from .functions.tool import FunctionTool, tool
    from .magics.review import chat, diff
    from .many.mapping import amap, map
    from .oneshot import ask
    from .retry import Retry, RetryDecision, evaluate_retry
    from .server import Server, serve
    from .session.blocking import Opencode, Session
    from .session.hooks.hook import Hook, Hooks
    from .session.models import NoModelError
    from .session.opencode import AsyncOpencode
    from .session.prompt.parts import Attachment
    from .session.recorded.replay import replay
    from .session.session import AsyncSession
    from .session.turn import Turn
    from .spending.budget import Budget
    from .stored.sessions import StoredSession, stored_session, stored_sessions
    from .transcript.tool_call import ToolCall
    from .widgets.chat import ChatPanel
    from .widgets.diff import DiffView

_HOMES = {
    ".acp.agent": ("AcpAgent", "AsyncAcpAgent"),
    ".acp.transport": ("Transport",),
    ".api.client": ("AsyncClient", "Client"),
    ".api.record": ("Record",),
    ".session.opencode": ("AsyncOpencode",),
    ".session.prompt.parts": ("Attachment",),
    ".session.session": ("AsyncSession",),
    ".session.blocking": ("Opencode", "Session"),
    ".changes.diff": ("Diff", "FileDiff"),
    ".session.hooks.hook": ("Hook", "Hooks"),
    ".session.turn": ("Turn",),
    ".transcript.tool_call": ("ToolCall",),
    ".session.recorded.replay": ("replay",),
    ".spending.budget": ("Budget",),
    ".server": ("Server", "serve"),
    ".oneshot": ("ask",),
    ".functions.asking": ("choose", "confirm", "input"),
    ".functions.collection": ("Tools",),
    ".functions.tool": ("FunctionTool", "tool"),
    ".stored.sessions": ("StoredSession", "stored_session", "stored_sessions"),
    ".magics.review": ("chat", "diff"),
    ".many.mapping": ("amap", "map"),
    ".widgets.chat": ("ChatPanel",),
    ".widgets.diff": ("DiffView",),
    ".errors": (
        "APIConnectionError",
        "APIStatusError",
        "APITimeoutError",
        "AbortedError",
        "AuthenticationError",
        "BadRequestError",
        "BinaryNotFoundError",
        "BudgetExceededError",
        "ConflictError",
        "ContentFilterError",
        "ContextOverflowError",
        "DiffConflictError",
        "InternalServerError",
        "InvalidModelError",
        "InvalidResponseError",
        "ModelError",
        "NotFoundError",
        "NotSupportedError",
        "OpencodeError",
        "OutputLimitError",
        "PermissionDeniedError",
        "PromptBlockedError",
        "ProviderAuthError",
        "ProviderOverloadedError",
        "RateLimitError",
        "ServerError",
        "ServerExitedError",
        "ServerGoneError",
        "ServerStartError",
        "StructuredOutputError",
        "TurnError",
        "TurnRateLimitError",
        "TurnTimeoutError",
        "UnprocessableEntityError",
    ),
    ".retry": ("Retry", "RetryDecision", "evaluate_retry"),
    ".session.models": ("NoModelError",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AbortedError",
    "AcpAgent",
    "AsyncAcpAgent",
    "AsyncClient",
    "AsyncOpencode",
    "AsyncSession",
    "Attachment",
    "AuthenticationError",
    "BadRequestError",
    "BinaryNotFoundError",
    "Budget",
    "BudgetExceededError",
    "ChatPanel",
    "Client",
    "ConflictError",
    "ContentFilterError",
    "ContextOverflowError",
    "Diff",
    "DiffConflictError",
    "DiffView",
    "FileDiff",
    "FunctionTool",
    "Hook",
    "Hooks",
    "InternalServerError",
    "InvalidModelError",
    "InvalidResponseError",
    "ModelError",
    "NoModelError",
    "NotFoundError",
    "NotSupportedError",
    "Opencode",
    "OpencodeError",
    "OutputLimitError",
    "PermissionDeniedError",
    "PromptBlockedError",
    "ProviderAuthError",
    "ProviderOverloadedError",
    "RateLimitError",
    "Record",
    "Retry",
    "RetryDecision",
    "Server",
    "ServerError",
    "ServerExitedError",
    "ServerGoneError",
    "ServerStartError",
    "Session",
    "StoredSession",
    "StructuredOutputError",
    "ToolCall",
    "Tools",
    "Transport",
    "Turn",
    "TurnError",
    "TurnRateLimitError",
    "TurnTimeoutError",
    "UnprocessableEntityError",
    "__version__",
    "amap",
    "ask",
    "chat",
    "choose",
    "confirm",
    "diff",
    "evaluate_retry",
    "input",
    "load_ipython_extension",
    "map",
    "replay",
    "serve",
    "stored_session",
    "stored_sessions",
    "tool",
    "types",
    "unload_ipython_extension",
]


def __getattr__(name: str) -> Any:
    if name == "types":
        return import_module(".types", __name__)
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home, __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """%load_ext opencode_nb: register %%prompt and %opencode."""
    from .magics.extension import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """%unload_ext opencode_nb: stop the server, and take everything away again."""
    from .magics.extension import unload

    unload(shell)
