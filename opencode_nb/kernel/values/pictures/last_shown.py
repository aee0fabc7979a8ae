"""Remember the last picture that the kernel displayed, as JupyterLab's cells do but the kernel itself does not."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from opencode_nb.kernel.values.pictures.drawing import decoded, drawer

_watchers: WeakKeyDictionary[Any, LastShown] = WeakKeyDictionary()


class LastShown:
    """The last picture that the main thread displayed in a shell: a file, or the figure that is a cell's value."""

    png = b""
    value: object = None

    def saw(self, png: bytes) -> None:
        """Note a picture that was shown some other way, such as in a card."""
        self.png, self.value = png, None

    def ran(self, result: Any) -> None:
        """Look at the value of a cell."""
        if drawer(result.result) is not None:
            self.value = result.result

    def watch(self, message: Any) -> Any:
        """Look at a message of the display publisher, and let it pass."""
        content = message.get("content") if isinstance(message, dict) else None
        data = content.get("data") if isinstance(content, dict) else None
        if isinstance(data, dict) and (png := decoded(data.get("image/png"))):
            self.saw(png)
        return message


def watch(shell: Any) -> LastShown:
    """Return the shell's last picture, from now on. Call on the main thread: a publisher's hooks belong to a thread."""
    if shell not in _watchers:
        _watchers[shell] = last = LastShown()
        shell.events.register("post_run_cell", last.ran)
        if hasattr(shell.display_pub, "register_hook"):
            shell.display_pub.register_hook(last.watch)
    return _watchers[shell]


def forget(shell: Any) -> None:
    """Take back what `watch` registered. Call on the main thread."""
    last = _watchers.pop(shell, None)
    if last is not None:
        shell.events.unregister("post_run_cell", last.ran)
        if hasattr(shell.display_pub, "unregister_hook"):
            shell.display_pub.unregister_hook(last.watch)
