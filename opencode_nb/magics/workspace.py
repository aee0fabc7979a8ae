"""The notebook's own Opencode and its current session, shared by the magics."""

from __future__ import annotations

import os
from typing import Any

from opencode_nb.conversation.sync import Opencode, Session
from opencode_nb.errors import OpencodeError
from opencode_nb.magics.settings import OpencodeMagics

PASSWORD = "OPENCODE_SERVER_PASSWORD"  # noqa: S105  # a variable's name
"""The environment variable with the password of a server that is joined, as OpenCode itself has it."""

PREFERENCES = ("model", "agent", "variant", "permission", "timeout")
"""The options that hold from the next prompt on; the others need a new start."""

OWN_SERVER = ("binary", "demo", "shared")
"""The options of %opencode start that mean a server of our own making, whatever address is configured."""


class Workspace:
    """Holds one Opencode, made when first needed, and the session that prompts go to.

    Options of %opencode start come first, then `settings`, then the environment.
    """

    def __init__(self, settings: OpencodeMagics | None = None) -> None:
        self.settings = settings or OpencodeMagics()
        self.session: Session | None = None
        self.announced = False
        self._ai: Opencode | None = None
        self._made_with: dict[str, Any] = {}
        self._started_with: dict[str, Any] = {}

    @property
    def options(self) -> dict[str, Any]:
        """What is set now, by its name in `Opencode`. Raises ValueError for a variable that makes no sense."""
        options = self.settings.options() | self._started_with
        if any(name in self._started_with for name in OWN_SERVER):
            options.pop("base_url", None)
        return options

    @property
    def ai(self) -> Opencode:
        """The notebook's Opencode, with the preferences that are set now; not started before it is needed."""
        options = self.options
        if self._ai is None or (options != self._made_with and not self._used):
            self._ai, self._made_with = _opencode(options), options
        elif changed := {name for name in PREFERENCES if options.get(name) != self._made_with.get(name)}:
            self._ai.prefer(**{name: options.get(name) for name in PREFERENCES})
            self._made_with |= {name: options.get(name) for name in changed}
            self.announced = False
        return self._ai

    @property
    def _used(self) -> bool:
        return self.session is not None or self.running

    def configure(self, **options: Any) -> Opencode:
        """Begin anew with these options of `Opencode`; what ran is stopped. Raises ValueError, and then nothing is."""
        before, self._started_with = self._started_with, options
        try:
            ai = _opencode(self.options)
        except ValueError:
            self._started_with = before
            raise
        self.stop()
        self.session, self.announced, self._ai, self._made_with = None, False, ai, self.options
        return ai

    def current(self) -> Session:
        """The current session, made where there is none."""
        if self.session is None:
            self.session = self.ai.session()
        return self.session

    def new(self, title: str | None = None) -> Session:
        """A new session, current from now on."""
        self.session = self.ai.session(title)
        return self.session

    def use(self, wanted: str) -> Session:
        """Make the session with this id, beginning of an id, or title current. Raises OpencodeError."""
        self.session = self.find(wanted)
        return self.session

    def find(self, wanted: str) -> Session:
        """The session with this id, beginning of an id, or title. Raises OpencodeError."""
        return self.ai.session(id=self._find(wanted))

    def _find(self, wanted: str) -> str:
        listed = self.ai.sessions()
        exact = [info["id"] for info in listed if wanted in (info["id"], info.get("title"))]
        close = [i["id"] for i in listed if i["id"].startswith(wanted) or wanted.lower() in str(i.get("title")).lower()]
        found = exact[:1] or close
        if len(found) != 1:
            many = f"{len(found)} sessions match" if found else "No session matches"
            raise OpencodeError(f"{many} {wanted!r}: %opencode sessions lists them.")
        return str(found[0])

    def give_up(self, session: Session, before: Session | None) -> None:
        """Go back to the session `before`, as nothing could be sent to `session`; a new one is not left behind."""
        if session is before:
            return
        self.session = before
        if self.running and not session.turns():
            session.delete()

    def stop(self) -> None:
        """Stop the server, if one runs. Options and session stay: the next prompt goes on with them."""
        if self._ai is not None:
            self._ai.close()

    def close(self) -> None:
        """Stop the server and forget everything; the sessions stay in its store."""
        self.stop()
        self._ai, self.session, self.announced, self._started_with = None, None, False, {}

    @property
    def running(self) -> bool:
        """Whether there is a live connection to a server."""
        return self._ai is not None and self._ai.started

    @property
    def busy(self) -> bool:
        """Whether a turn runs in the current session."""
        return self.session is not None and self.session.busy


def _opencode(options: dict[str, Any]) -> Opencode:
    """An Opencode with these options; the password of one that is joined is never among them."""
    joined: dict[str, Any] = {"password": os.environ.get(PASSWORD)} if "base_url" in options else {}
    return Opencode(**(joined | options))
