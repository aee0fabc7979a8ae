"""The notebook's own Opencode and its current session, shared by the magics."""

from __future__ import annotations

from typing import Any

from opencode_nb.conversation.sync import Opencode, Session
from opencode_nb.errors import OpencodeError


class Workspace:
    """Holds one Opencode, made when first needed, and the session that prompts go to."""

    def __init__(self) -> None:
        self._ai: Opencode | None = None
        self.session: Session | None = None
        self.announced = False

    @property
    def ai(self) -> Opencode:
        """The notebook's Opencode; not started before it is needed."""
        if self._ai is None:
            self._ai = Opencode()
        return self._ai

    def configure(self, **options: Any) -> Opencode:
        """Begin anew with these options of `Opencode`; what ran is stopped. Raises ValueError, and then nothing is."""
        ai = Opencode(**options)
        self.close()
        self._ai = ai
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
        self.session = self.ai.session(id=self._find(wanted))
        return self.session

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
        self._ai, self.session, self.announced = None, None, False

    @property
    def running(self) -> bool:
        """Whether there is a live connection to a server."""
        return self._ai is not None and self._ai.started

    @property
    def busy(self) -> bool:
        """Whether a turn runs in the current session."""
        return self.session is not None and self.session.busy
