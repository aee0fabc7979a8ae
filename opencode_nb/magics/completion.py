"""Tab in %%prompt, %prompt and %opencode: options, their values, subcommands; in prose, what the chat panel offers."""

from __future__ import annotations

import re
import textwrap
from argparse import Action
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb import portal
from opencode_nb.errors import OpencodeError
from opencode_nb.kernel.cells.place import PLACES
from opencode_nb.kernel.context import offers
from opencode_nb.magics.commands.tools import ACTIONS
from opencode_nb.magics.line import LineMagic
from opencode_nb.magics.options import MagicParser, code_parser, prompt_parser
from opencode_nb.magics.showing.frontend import Frontend, detect
from opencode_nb.magics.typed import body
from opencode_nb.magics.typed.place import Place, place_of
from opencode_nb.magics.typed.words import typed
from opencode_nb.magics.workspace import Workspace
from opencode_nb.session.prompt import completion as prose
from opencode_nb.transcript import usage

if TYPE_CHECKING:
    from opencode_nb.session.blocking import Session
    from opencode_nb.session.opencode import AsyncOpencode

T = TypeVar("T")

IN_PAGE = 0.8
"""Seconds to wait for the server: JupyterLab ignores what comes after one. The next Tab may find it ready."""

IN_TERMINAL = 3.0
"""Seconds to wait for the server in a terminal: most starts take less."""

_SUBCOMMAND = re.compile(r"\s*(\S*)(\s?)(.*)", re.DOTALL)

DETAIL = 40
"""Maximum characters shown beside an offer."""


class Offer(NamedTuple):
    """What Tab inserts, what is shown beside it, and another name that it can be found by."""

    text: str
    detail: str = ""
    alias: str = ""


class Offers(NamedTuple):
    """What can replace `fragment`, which stands before the cursor; best first."""

    fragment: str
    offers: list[Offer]


class Completion:
    """A matcher for the shell's completer.

    What only the server knows starts it in the background, and waits for it for a bounded time.
    """

    def __init__(self, workspace: Workspace, line: LineMagic) -> None:
        self._workspace = workspace
        self._line = line
        self._patience = IN_PAGE
        self._known: dict[str, Callable[[str], Iterable[str]]] = {
            "AGENTS": lambda _fragment: list(workspace.settings.agents),
            "COMMAND": lambda _fragment: [*line.commands, "prompt"],
            "PATH": _paths,
            "EXPR": lambda fragment: [*offers.names(), *_paths(fragment)],
            "INSTALLED": lambda _fragment: _installed(),
            "OUT": lambda _fragment: offers.outputs(),
            "card|below|ID": lambda _fragment: list(PLACES),
            "ACTION": lambda _fragment: list(ACTIONS),
            "PROGRAM": lambda fragment: [*_installed(), *_paths(fragment)],
        }

        @context_matcher()  # type: ignore[untyped-decorator]  # IPython's own
        def matcher(context: CompletionContext) -> SimpleMatcherResult:
            return self._match(context)

        self.matcher = matcher

    def register(self, shell: InteractiveShell) -> None:
        """Add the matcher to the shell's completer."""
        self._patience = IN_TERMINAL if detect(shell) is Frontend.TERMINAL else IN_PAGE
        shell.Completer.custom_matchers.append(self.matcher)

    def remove(self, shell: InteractiveShell) -> None:
        """Remove the matcher from the shell's completer."""
        if self.matcher in shell.Completer.custom_matchers:
            shell.Completer.custom_matchers.remove(self.matcher)

    def _match(self, context: CompletionContext) -> SimpleMatcherResult:
        place = place_of(context.full_text, context.cursor_line, context.cursor_position)
        found = self._offers(place) if place else None
        if found is None:
            return {"completions": [], "suppress": False}
        shown = [SimpleCompletion(offer.text, type=_shortened(offer.detail)) for offer in found.offers]
        offered: Any = shown or _Nothing()
        return {"completions": offered, "suppress": True, "ordered": True, "matched_fragment": found.fragment}

    def _offers(self, place: Place) -> Offers | None:
        """Return what to offer; None in a shell command, which IPython itself completes."""
        if place.magic == "%opencode":
            return self._of_opencode(place.line)
        parser = code_parser() if place.magic == "%%opencode" else prompt_parser(place.magic)
        start = parser.start_of_text(place.line)
        if place.body is None and start == len(place.line):
            return self._of_words(parser, place.line)
        text = "\n".join(filter(None, (place.line[start:], place.body)))
        return None if body.parse(text.lstrip("\n")).kind == "shell" else self._of_prose(text)

    # -- prose ---------------------------------------------------------------------------------------------------------

    def _of_prose(self, text: str) -> Offers:
        word = prose.word_at(text, len(text))
        if word is None:
            return Offers("", [])
        names = offers.offered(text)
        found = self._ask(lambda ai: ai.complete(text, variables=names))
        if found is None and word.kind == "mention":  # what is known without a server
            found = prose.mentions(word, _files(word.text), [], names)
        typed_name = text[word.start + 1 :]  # without its / or @, which JupyterLab would cut the word to
        return Offers(typed_name, [Offer(one.label[1:], one.detail) for one in found or []])

    # -- options and subcommands ---------------------------------------------------------------------------------------

    def _of_opencode(self, line: str) -> Offers:
        found = _SUBCOMMAND.match(line)
        name, space, rest = found.groups() if found else ("", "", "")
        commands = self._line.commands
        if not space:
            return Offers(
                name, [Offer(known, one.summary) for known, one in commands.items() if known.startswith(name)]
            )
        return self._of_words(commands[name].parser, rest) if name in commands else Offers("", [])

    def _of_words(self, parser: MagicParser, line: str) -> Offers:
        words = [word[0] for word in typed(line)]
        ended = line[-1:].isspace() and not line.endswith("\\ ")
        fragment = words.pop() if words and not ended else ""
        option = parser.value_after(words)
        if option is not None:
            return Offers(fragment, self._values(option, fragment))
        argument = parser.positional(words)
        values = self._values(argument, fragment) if argument and fragment[:1] != "-" else []
        options = [Offer(name, parser.help_of(name)) for name in parser.option_strings() if name.startswith(fragment)]
        return Offers(fragment, [*options, *values])

    def _values(self, action: Action, fragment: str) -> list[Offer]:
        """Return the fitting values of an argument: its choices, else those its metavar stands for."""
        kind = str(action.metavar)
        if action.choices is None and kind in _ASKED:
            question, session = _ASKED[kind], self._workspace.session
            return _fitting(fragment, self._ask(lambda ai: question(ai, session)) or [])
        known = self._known[kind](fragment) if kind in self._known else ()
        return [Offer(str(value)) for value in action.choices or known if str(value).startswith(fragment)]

    def _ask(self, question: Callable[[AsyncOpencode], Awaitable[T]]) -> T | None:
        """Return the server's answer; None if it takes too long or fails, as Tab is no place to say why."""
        try:
            return portal.result_of(portal.start(question, self._workspace.ai._async), self._patience)
        except (OpencodeError, OSError, ValueError):  # a TimeoutError is an OSError
            return None


class _Nothing:
    """No completions, although IPython counts one: it lets only a matcher that has some silence the others."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[SimpleCompletion]:
        return iter(())


# -- what only the server knows ----------------------------------------------------------------------------------------


async def _models(ai: AsyncOpencode, _session: Session | None) -> list[Offer]:
    listed = await ai.models_detail()
    return sorted(Offer(str(model["id"]), str(model["name"]), str(model["name"])) for model in listed)


async def _agents(ai: AsyncOpencode, _session: Session | None) -> list[Offer]:
    return [Offer(str(agent["name"]), str(agent.get("description") or "")) for agent in await ai.agents()]


async def _variants(ai: AsyncOpencode, session: Session | None) -> list[Offer]:
    """Return the variants of the session's model, or of the one that the next session has."""
    of_session = usage.session_model(session._async.transcript.info) if session else ""
    model = (session.model if session else None) or of_session or None
    details = (await ai.details()).get((await ai.model_choice(model)).model, {})
    return [Offer(str(name)) for name in details.get("variants") or []]


async def _sessions(ai: AsyncOpencode, _session: Session | None) -> list[Offer]:
    titles = {str(info["id"]): str(info.get("title") or "") for info in await ai.sessions()}
    return [Offer(name, title, title) for name, title in titles.items()]


async def _mcp_servers(ai: AsyncOpencode, _session: Session | None) -> list[Offer]:
    return [Offer(name, str(state)) for name, state in (await ai.mcp.status()).items()]


async def _providers(ai: AsyncOpencode, _session: Session | None) -> list[Offer]:
    return [Offer(login.provider, login.source or login.name, login.name) for login in await ai.logins()]


_ASKED: dict[str, Callable[[AsyncOpencode, Session | None], Awaitable[list[Offer]]]] = {
    "MODEL": _models,
    "AGENT": _agents,
    "VARIANT": _variants,
    "SESSION": _sessions,
    "MCP": _mcp_servers,
    "PROVIDER": _providers,
}


def _fitting(fragment: str, offers: list[Offer]) -> list[Offer]:
    """Return the offers that fit, best first; all in their order if nothing is typed."""
    if not fragment:
        return offers
    ranks = [
        [rank for name in (one.text, one.alias) if name and (rank := prose.rank(fragment, name))] for one in offers
    ]
    return [offers[place] for _rank, place in sorted((min(fits), place) for place, fits in enumerate(ranks) if fits)]


def _shortened(text: str) -> str | None:
    """Return text for one line: JupyterLab would break it at a plain space, into the next offer's."""
    return textwrap.shorten(text, DETAIL, placeholder="…").replace(" ", "\N{NO-BREAK SPACE}") or None


# -- files -------------------------------------------------------------------------------------------------------------


def _installed() -> list[str]:
    from opencode_nb.server.binary import installed_versions

    return installed_versions()


def _paths(fragment: str) -> list[str]:
    """Return the paths that start with the fragment, with spaces escaped as in the fragment."""
    return [path.replace(" ", "\\ ") for path in _files(fragment.replace("\\ ", " "))]


def _files(start: str) -> list[str]:
    """Return the files and folders whose paths start like this; hidden ones only if asked for."""
    folder, _, name = start.rpartition("/")
    try:
        found = sorted(Path(folder or ("/" if start.startswith("/") else ".")).expanduser().iterdir())
    except OSError:
        return []
    prefix = f"{folder}/" if folder or start.startswith("/") else ""
    shown = [path for path in found if path.name.startswith(name) and (name or not path.name.startswith("."))]
    return [f"{prefix}{path.name}{'/' if path.is_dir() else ''}" for path in shown]
