"""Corrections and additions to the server's OpenAPI document. Data only.

Operations are named by their operationId; names missing from a server's document are ignored.
"""

from __future__ import annotations

from typing import Final

PATHS: Final = {
    # The document has a bare "*" and no parameter for it; the server takes the rest of the URL as the file's path.
    "v2.fs.read": "/api/fs/read/{path}",
}

WEBSOCKETS: Final = frozenset(
    {
        # The document marks only v2.pty.connect as one, and declares a JSON boolean as the answer of both.
        "pty.connect",
        "v2.pty.connect",
    }
)

HEADERS: Final = {
    # Protection against request forgery by web pages: without it, the server answers 403.
    "pty.connectToken": {"x-opencode-ticket": "1"},
    "v2.pty.connectToken": {"x-opencode-ticket": "1"},
}

STARTS_A_TURN: Final = frozenset(
    {
        # Each of these runs a model: if sent twice, it is paid for and answered twice.
        "session.prompt",
        "session.prompt_async",
        "session.command",
        "session.shell",
        "session.init",
        "session.summarize",
        "v2.session.prompt",
        "v2.session.compact",
    }
)

TAKES_AWAY: Final = frozenset(
    {
        # A GET that removes and returns the next queued item: a retry would lose one.
        "tui.control.next",
    }
)

ANSWERS_WHEN_DONE: Final = frozenset(
    {
        # Answers when a model, a person or a browser has finished: after seconds to an hour.
        "session.prompt",
        "session.command",
        "session.shell",
        "session.init",
        "session.summarize",
        "v2.session.wait",
        "v2.session.compact",
        "tui.control.next",
        "mcp.auth.authenticate",
        "mcp.auth.callback",
        "provider.oauth.authorize",
        "provider.oauth.callback",
        "global.upgrade",
    }
)

SETTLES: Final = {
    # Greets before it listens: events of the next 10 to 50 ms are lost (in 28 of 60 tries; on a busy machine up to
    # 100 ms and more). The value is in seconds. /event listens before it answers and needs no wait.
    "global.event": 1.0,
}

SILENT: Final = frozenset(
    {
        # No greeting, no heartbeat, not even a response head before the first event.
        "v2.session.events",
    }
)

PLACED_BY_BODY: Final = frozenset(
    {
        # Ignores query and headers: the session's directory is in the body; the default is the server's own directory.
        "v2.session.create",
    }
)

STATEMENTS: Final = {
    # Notes added to the operation's documentation.
    "session.diff": "Without messageID the server always answers []; give the id of a user message.",
    "config.update": "Writes a file to the project and restarts the instance, which ends running turns.",
    "session.prompt_async": (
        "Send your own messageID: the answer can arrive before the message is stored. A wrong model or agent is "
        "reported only by a session.error event."
    ),
}
