"""The blocking API: Opencode, Session and Queue for code that does not await.

Members that only forward are derived from the async classes and run on the package's loop thread.
"""

from opencode_nb.session.blocking.connection import Connection
from opencode_nb.session.blocking.opencode import Opencode, player, session_for_prompt
from opencode_nb.session.blocking.queue import Queue
from opencode_nb.session.blocking.session import Session, discard, send

__all__ = ["Connection", "Opencode", "Queue", "Session", "discard", "player", "send", "session_for_prompt"]
