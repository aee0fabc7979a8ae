"""Register the magics and their completion in a shell, and remove them again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import no_var_expand

from opencode_nb.kernel.context.cells import cells_of
from opencode_nb.magics.completion import Completion
from opencode_nb.magics.failure import one_line
from opencode_nb.magics.input import LONE, Rewriting
from opencode_nb.magics.line import LineMagic
from opencode_nb.magics.options import code_parser, parse_code, prompt_parser
from opencode_nb.magics.prompt import run_prompt
from opencode_nb.magics.workspace import forget, workspace_of

_loaded: dict[int, _Extension] = {}


class _Extension:
    """The magics, settings and completion of one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.workspace = workspace_of(shell)
        self.settings = self.workspace.settings
        self.line = LineMagic(self.workspace)
        self.completion = Completion(self.workspace, self.line)
        cells_of(shell)  # notes the cells from now on
        self.rewriting = Rewriting(shell)

    def register(self) -> None:
        register: Any = self.shell.register_magic_function  # traitlets' decorator hides its signature
        register(self._prompt_cell(), "cell", "prompt")
        register(self._prompt_line(), "line", "prompt")
        register(self._opencode(), "line", "opencode")
        register(self._opencode_cell(), "cell", "opencode")
        self.rewriting.begin()
        self.completion.register(self.shell)
        self._configurables.append(self.settings)

    def remove(self) -> None:
        self.completion.remove(self.shell)
        self.rewriting.end()
        self._configurables.remove(self.settings)
        for kind, name in product(("cell", "line"), ("prompt", "opencode")):
            self.shell.magics_manager.magics[kind].pop(name, None)
        forget(self.shell)

    @property
    def _configurables(self) -> list[Any]:
        """The list of objects that %config offers."""
        return self.shell.configurables

    def _prompt_cell(self) -> Callable[[str, str], Any]:
        @no_var_expand
        @one_line
        def prompt(line: str, cell: str) -> Any:
            return self._run("%prompt" if cell == LONE else "%%prompt", line, cell)

        prompt.__doc__ = (
            f"Send this cell to the agent; the Turn is the cell's value.\n\n{prompt_parser().format_help()}"
        )
        return prompt

    def _prompt_line(self) -> Callable[[str], Any]:
        @no_var_expand
        @one_line
        def prompt(line: str) -> Any:
            return self._run("%prompt", line, None)

        options = prompt_parser("%prompt").format_help()
        prompt.__doc__ = f"Send this line to the agent; `x = %prompt TEXT` gives the Turn.\n\n{options}"
        return prompt

    def _run(self, magic: str, line: str, cell: str | None) -> Any:
        """Run a prompt that starts on the magic's line and goes on in the cell; None for one line among others."""
        parser = prompt_parser(magic)
        options, start = parser.parse_with_text(line)
        below = (cell or "").rstrip("\n") if start else (cell or "").strip("\n")
        text = "\n".join(filter(str.strip, (start, below)))
        late = parser.options_after(start)
        note = f"{late} is sent as text: options come before the prompt." if late else ""
        whole, workspace = cell is not None, self.workspace.of_agent(options.of_agent)
        if options.verify:
            from opencode_nb.magics.verifying import run_and_verify

            return run_and_verify(self.shell, workspace, magic, options, text, whole=whole, note=note)
        return run_prompt(self.shell, workspace, magic, options, text, whole=whole, note=note)

    def _opencode_cell(self) -> Callable[[str, str], Any]:
        @no_var_expand
        @one_line
        def opencode(line: str, cell: str) -> Any:
            from opencode_nb.magics.code import run_code  # what it needs is not loaded with the extension

            options, instruction = parse_code(line)
            workspace = self.workspace.of_agent(options.of_agent)
            return run_code(self.shell, workspace, options, instruction, cell)

        about = "Have the agent work on this cell's code as the line says; the Turn is the cell's value."
        opencode.__doc__ = f"{about}\n\n{code_parser().format_help()}"
        return opencode

    def _opencode(self) -> Callable[[str], Any]:
        @no_var_expand
        @one_line
        def opencode(line: str) -> Any:
            return self.line.run(line)

        opencode.__doc__ = self.line.help()
        return opencode


def load(shell: InteractiveShell) -> None:
    """Register in this shell; a second call does nothing."""
    if id(shell) not in _loaded:
        extension = _loaded[id(shell)] = _Extension(shell)
        extension.register()


def unload(shell: InteractiveShell) -> None:
    """Remove everything from this shell and close its workspace."""
    extension = _loaded.pop(id(shell), None)
    if extension is not None:
        extension.remove()
