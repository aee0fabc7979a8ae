"""What a person writes, for blocking code: see `compose`."""

from __future__ import annotations

from dataclasses import replace

from opencode_nb.portal import run
from opencode_nb.session import compose
from opencode_nb.session.blocking import Connection, Session
from opencode_nb.session.prompt.command import Result
from opencode_nb.session.prompt.commands import Said


def read(agent: Connection, text: str) -> Said:
    """Return what a text means: a prompt, or a slash command. Raises OpencodeError for one that does not exist."""
    return run(compose.read, agent._async, text)


def act(session: Session, said: Said) -> Result:
    """Carry out a slash command of ours; its result's session is a blocking one. Raises OpencodeError."""
    result = run(compose.act, session._async, said)
    return replace(result, session=Session(result.session, session.owner)) if result.session else result
