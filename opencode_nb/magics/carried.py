"""What a prompt from a cell carries, as the server's parts: text with its values, files, images, mentions, the note.

Runs on the calling thread, where the user's own code runs. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.errors import OpencodeError
from opencode_nb.kernel.context import expressions
from opencode_nb.kernel.context.placeholders import Filled, acted_on, fill
from opencode_nb.kernel.context.session_context import SessionContext
from opencode_nb.kernel.context.subjects import Subject
from opencode_nb.kernel.values.pictures.figures import drawn
from opencode_nb.magics.typed.body import Body
from opencode_nb.portal import run
from opencode_nb.session.blocking import Connection
from opencode_nb.session.compose import agent_names, for_command
from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.session.prompt.commands import Said
from opencode_nb.tools.privacy import Outgoing
from opencode_nb.transcript.state import Json


class Carrier:
    """Assembles the parts of prompts from one shell, for one session."""

    def __init__(self, shell: InteractiveShell, ai: Connection, context: SessionContext) -> None:
        self._shell, self._ai, self._context = shell, ai, context

    def parts(
        self, text: str, *, files: Iterable[Any] = (), images: Iterable[str] = (), also: Iterable[Subject] = ()
    ) -> list[Json]:
        """Return all parts; `images` are expressions, `also` is what goes along without being mentioned.

        Raises OpencodeError or OSError for what cannot be sent.
        """
        filled, owner = self.filled(text), self._ai._async
        parts = run(prompt_parts.parts, filled.text, files, (), owner.directory)
        found = self._found(filled.typed)
        attached = run(owner.mentions, filled.typed, {subject.name for subject in found})
        shown = [self.image(expression) for expression in images]
        described = self._context.described([*also, *found])
        return [*parts, *shown, *attached, *described, *self._context.note()]

    def command(self, body: Body, *, files: Iterable[Any] = (), images: Iterable[str] = ()) -> tuple[str, list[Any]]:
        """Return the text of a command with its values, and the files that go with it.

        Raises OpencodeError or OSError for what cannot be sent, as a value that the server would act on.
        """
        filled, owner = self.filled(body.text), self._ai._async
        if wrong := acted_on(filled):
            raise OpencodeError(_ACTED_ON.format(wrong[:MOST_SHOWN]))
        shown = [self.image(expression) for expression in images]
        described = [*self._context.described(self._found(filled.typed)), *self._context.note()]
        return filled.text, [
            *files,
            *shown,
            *run(for_command, owner, Said("command", filled.typed, body.name), described),
        ]

    def filled(self, text: str) -> Filled:
        """Return the text with values for its `{{expr}}`."""
        return fill(text, self._value)

    def _value(self, expression: str) -> str:
        value = expressions.evaluate(self._shell, expression, f"{{{{{expression}}}}}", _LITERALLY)
        return self._context.gate.let(expressions.in_text(expression, value), by="mention").text

    def _found(self, typed: str) -> list[Subject]:
        """Return what was typed mentions of the kernel: what a value brought mentions nothing."""
        owner = self._ai._async
        return run(self._context.find, typed, lambda: agent_names(owner), owner.directory) if "@" in typed else []

    # -- images --------------------------------------------------------------------------------------------------------

    def image(self, expression: str) -> Json:
        """Return an image part for an expression, or for a path. Raises OpencodeError or OSError."""
        value = self._image_value(expression)
        if isinstance(value, (str, Path)):
            return _picture(prompt_parts.image_part(value, self._ai._async.directory), expression)
        let = self._context.gate.let(_drawn(value, expression), by="mention")
        if not let.images:
            level = self._context.gate.level.name.lower()
            raise OpencodeError(f"-i {expression}: the privacy level {level} withholds images. Nothing was sent.")
        try:
            return prompt_parts.image_part(let.images[0])
        except TypeError as error:
            raise OpencodeError(f"-i {expression}: {error} Nothing was sent.") from error

    def _image_value(self, expression: str) -> object:
        try:
            return expressions.evaluate(self._shell, expression, f"-i {expression}")
        except OpencodeError:
            if (self._ai._async.directory / expression).is_file():
                return expression
            raise


MOST_SHOWN = 60
"""Characters of a value that an error shows."""

_ACTED_ON = (
    "A value in this command has {!r}, which the server would run or attach. Put it into a prompt without a command, "
    "or mention the variable with @. Nothing was sent."
)
_LITERALLY = "To send it as text, put it in backticks, or write {{{{ for {{."


def _drawn(value: object, expression: str) -> Outgoing:
    if isinstance(value, (bytes, bytearray)):
        return Outgoing(expression, (), (bytes(value),))
    result = drawn(f"`{expression}`", expression, value, own_code=True)
    if result.failed:
        why = "".join(piece.text for piece in result.outgoing.pieces)
        raise OpencodeError(f"-i {expression}: {why} Nothing was sent.")
    return result.outgoing


def _picture(part: Json, expression: str) -> Json:
    if not str(part.get("mime")).startswith("image/"):
        raise OpencodeError(f"-i {expression}: this file is no image: attach it with -f. Nothing was sent.")
    return part
