"""The managed `opencode serve`: find or install the program, start it, and end it with its last holder."""

from __future__ import annotations

from opencode_nb.server.binary import find_binary
from opencode_nb.server.process import Server, serve
from opencode_nb.server.status import Holder, ServerStatus

__all__ = ["Holder", "Server", "ServerStatus", "find_binary", "serve"]
