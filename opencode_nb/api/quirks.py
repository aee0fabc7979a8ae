"""What the OpenAPI document does not say about its operations, or says otherwise than the server does. Data only.

Operations are named by their operationId; a name that a server's document does not have is of no consequence.
"""

from __future__ import annotations

from typing import Final

PATHS: Final = {
    # The document has a bare "*" and no parameter for it; the server takes the rest of the URL as the file's path.
    "v2.fs.read": "/api/fs/read/{path}",
}

WEBSOCKETS: Final = frozenset(
    {
        # The document marks only v2.pty.connect so, and gives both a JSON boolean as the answer.
        "pty.connect",
        "v2.pty.connect",
    }
)

HEADERS: Final = {
    # A guard against requests forged by web pages: the server answers 403 without it.
    "pty.connectToken": {"x-opencode-ticket": "1"},
    "v2.pty.connectToken": {"x-opencode-ticket": "1"},
}

STARTS_A_TURN: Final = frozenset(
    {
        # Each of these makes a model work: sent twice, it is paid twice and answered twice.
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
        # A GET that hands out the next waiting item and forgets it: a repetition would lose one.
        "tui.control.next",
    }
)

ANSWERS_WHEN_DONE: Final = frozenset(
    {
        # The answer comes when a model, a person or a browser has finished: seconds to an hour.
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
    # Greets before it listens: what happens in the next 10 to 50 ms is lost (28 of 60 tries; on a busy machine up to
    # 100 ms and more). Seconds to wait. /event listens before it answers and needs nothing.
    "global.event": 1.0,
}

SILENT: Final = frozenset(
    {
        # No greeting, no heartbeat, not even the response's head before the first event.
        "v2.session.events",
    }
)

PLACED_BY_BODY: Final = frozenset(
    {
        # Looks at neither query nor headers: where the session goes stands in its body, else it is the server's own
        # directory.
        "v2.session.create",
    }
)

STATEMENTS: Final = {
    # Notes that belong into the operation's documentation.
    "session.diff": "Without messageID the server always answers []; give the id of a user message.",
    "config.update": "Writes a file into the project and restarts the instance, which ends running turns.",
    "session.prompt_async": (
        "Send your own messageID: the answer can come before the message is stored. A wrong model or agent is told by "
        "a session.error event only."
    ),
}
