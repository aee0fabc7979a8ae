"""Remember the last picture that the kernel displayed, as JupyterLab's cells do but the kernel itself does not."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from weakref import WeakKeyDictionary

_watchers: WeakKeyDictionary[Any, LastShown] = WeakKeyDictionary()


class LastShown:
    """The last picture that the main thread displayed in a shell. Make it by `watch`."""

    png = b""
    """A PNG file; empty if there was none."""

    def saw(self, png: bytes) -> None:
        """Note a picture that was shown some other way, such as in a card."""
        self.png = png

    def watch(self, message: Any) -> Any:
        """Look at a message of the display publisher, and let it pass."""
        content = message.get("content") if isinstance(message, dict) else None
        data = content.get("data") if isinstance(content, dict) else None
        if isinstance(data, dict) and "image/png" in data:
            self.png = decoded(data["image/png"]) or self.png
        return message


def watch(shell: Any) -> LastShown:
    """Return the shell's last picture, from now on. Call on the main thread: a publisher's hooks belong to a thread."""
    if shell not in _watchers:
        _watchers[shell] = LastShown()
        if hasattr(shell.display_pub, "register_hook"):
            shell.display_pub.register_hook(_watchers[shell].watch)
    return _watchers[shell]


def decoded(data: object) -> bytes:
    """Return the bytes of a picture in a MIME bundle: they may be there as they are, or in base64."""
    if isinstance(data, bytes):
        return data
    try:
        return base64.b64decode(data) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        return b""
