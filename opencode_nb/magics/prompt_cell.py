"""One run of %%prompt or %prompt: from the text to the turn in the output, and the Turn as the value."""

from __future__ import annotations

import contextvars
import threading
from argparse import Namespace
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from itertools import count
from textwrap import shorten
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from opencode_nb.errors import OpencodeError
from opencode_nb.kernel import notebook
from opencode_nb.kernel.cells.disk import running_cell
from opencode_nb.kernel.cells.taking_over import is_told
from opencode_nb.kernel.context.session_context import context_of
from opencode_nb.kernel.context.subjects import Subject
from opencode_nb.kernel.offer import kernel_offer
from opencode_nb.kernel.values.secrets import known_secrets
from opencode_nb.magics.carried import Carrier
from opencode_nb.magics.continuing import continue_session
from opencode_nb.magics.failure import CellError, Interrupted
from opencode_nb.magics.privacy import set_level
from opencode_nb.magics.schema import read_schema
from opencode_nb.magics.showing.frontend import Frontend, detect
from opencode_nb.magics.showing.views import PageView, SilentView, View, import_view, make_view
from opencode_nb.magics.slash import run_slash
from opencode_nb.magics.typed import body
from opencode_nb.magics.typed.body import Body
from opencode_nb.magics.workspace import Workspace
from opencode_nb.portal import run
from opencode_nb.results.schema import Schema
from opencode_nb.retry import Retry
from opencode_nb.session.blocking import Session, send
from opencode_nb.session.blocking_compose import read
from opencode_nb.session.models import announcement
from opencode_nb.session.permissions import agent_code
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.session.permissions.policy import Person
from opencode_nb.session.prompt.commands import Said
from opencode_nb.session.turn import Turn
from opencode_nb.session.turns.options import TurnOptions
from opencode_nb.session.turns.series import next_try
from opencode_nb.session.turns.submission import Submission
from opencode_nb.widgets.kernel_context import follow
from opencode_nb.widgets.notebook.own_notebook import own_notebook_warning

BRIEF = 160
"""Maximum characters of a failure's message that repeat what the turn above it says."""

_BUSY = "The session is busy: the agent reads this prompt after its current step."
_UNWATCHED = (
    "Running in the background: _.wait() waits for it, %opencode abort stops it. You cannot be asked for permission "
    "here: what needs it is denied, unless you add --permission allow."
)


class PromptCell:
    """One run of a magic. `whole`: the cell's output is this turn's alone, and its value the cell's."""

    def __init__(
        self,
        shell: InteractiveShell,
        workspace: Workspace,
        options: Namespace,
        text: str,
        *,
        whole: bool,
        also: Iterable[Subject],
    ) -> None:
        self._shell, self._workspace, self._options, self._body = shell, workspace, options, body.parse(text)
        self._whole, self._also = whole, also
        self._frontend = detect(shell)
        self._notes: list[str] = []
        self._carried: list[Any] = []
        self._schema: Schema | None = None
        self._submission: Submission | None = None

    def run(self, note: str) -> Any:
        """Run it, with `note` above the turn; return the cell's value."""
        if note:
            self._note(note)
        self._read()
        self._continue()
        if self._body.kind == "own":
            return run_slash(self._workspace, self._options, Said("own", self._body.text, self._body.name))
        if self._options.retry and (self._options.background or self._body.kind != "prompt"):
            raise UsageError("--retry is for prompts that the cell waits for: remove it, or --background.")
        if self._options.schema and self._options.output and self._options.background:
            raise UsageError("-o takes the value when the cell ends: with --background, use `_.wait().data` instead.")
        self._announce()
        try:
            with self._session() as session:
                return self._in(session)
        except _Unsent as unsent:
            raise unsent.error from None

    def _session(self) -> AbstractContextManager[Session]:
        """Return a context with the session that the prompt goes to."""
        return self._workspace.for_prompt(self._options.session, new=self._options.new)

    def _in(self, session: Session) -> Turn | None:
        if session.busy:
            self._note(_BUSY)
        if self._body.kind != "shell":
            self._carry(session)
        if not self._options.background:
            return self._in_foreground(session)
        turn = self._in_background(session)
        return None if self._whole else turn

    # -- before --------------------------------------------------------------------------------------------------------

    def _note(self, line: str) -> None:
        """Print a line, and remember to print it again after the live view is cleared."""
        print(line)  # noqa: T201  # the cell's own output
        self._notes.append(line)

    def _read(self) -> None:
        """Read what the cell says: which commands there are, only the server knows."""
        ai = self._workspace.ai  # applies the current preferences; changed ones are announced again
        if self._workspace.starting:
            print(f"Starting {ai.name}…")  # noqa: T201
            kernel_offer()
            if not self._options.quiet:
                import_view(self._frontend)
            self._workspace.wait_until_started()
        if self._body.kind == "prompt":
            self._body = Body(*read(ai, self._body.text))

    def _announce(self) -> None:
        """Before the first turn, print which model it goes to and who chose it. Raises ModelError without a model."""
        workspace, model = self._workspace, self._options.model
        if self._body.kind == "shell" or (workspace.announced and not model):
            return
        choice = workspace.ai.model_choice(model or self._model_of_session, self._options.agent)
        if not workspace.announced or model not in (None, choice.full_name):  # without its provider: say which
            workspace.announced = True
            self._note(announcement(choice) if choice.model else f"Agent: {workspace.ai.described}")

    @property
    def _model_of_session(self) -> str | None:
        """The model chosen for the current session, in a panel for example, if the prompt goes there."""
        session = None if self._options.new or self._options.session else self._workspace.session
        return session.model if session else None

    def _continue(self) -> None:
        """In a fresh kernel, go on with the notebook's last session, and say so."""
        if self._options.session or self._options.new or self._body.name == "new":
            return
        if line := continue_session(self._workspace, self._shell, self._body.text):
            self._note(f"{line} `--new` starts another.")

    def _carry(self, session: Session) -> None:
        """Assemble what goes to the server, before a view stands in the output: expressions may print."""
        options, context = self._options, context_of(session.id)
        self._schema = read_schema(self._shell, options.schema)
        for line in set_level(context, options.privacy, sent=bool(session._async.transcript.turns)):
            self._note(line)
        self._offer(session)
        carrier = Carrier(self._shell, session.owner, context)
        if self._body.kind == "command":
            text, self._carried = carrier.command(self._body, files=options.file, images=options.image)
            self._body = self._body._replace(text=text)
        else:
            self._carried = carrier.parts(self._body.text, files=options.file, images=options.image, also=self._also)

    def _offer(self, session: Session) -> None:
        """Let the agent use the kernel, note what leaves it, and tell of an effort that has no effect."""
        if (offer := kernel_offer()) is not None:
            options, cell = self._options, running_cell(self._shell)
            offer.offer(session._async, without=options.no_kernel, cell=cell, place=options.cells)
        session._async.known_secrets = known_secrets(self._shell)
        follow(session._async)
        if told := run(session._async.unmet_effort, self._choice()):
            self._note(told)

    def _send(self, session: Session, person: Person | None) -> Turn:
        try:
            turn = self._begin(session, person)
        except (OpencodeError, OSError, ValueError) as error:
            raise _Unsent(error) from error
        except KeyboardInterrupt:
            if session.turns():  # the server may have received the prompt
                self._workspace.session = session
            raise
        self._workspace.session = session
        if self._frontend is Frontend.PAGE and self._workspace.of_notebook:
            notebook.remember(session.id)
        return turn

    def _begin(self, session: Session, person: Person | None) -> Turn:
        options, sent = self._options, self._body
        if sent.kind == "shell":
            return session.shell(sent.text, timeout=options.timeout, wait=False)
        settings: TurnOptions = {
            **self._choice(),
            "permission": options.permission,
            "timeout": options.timeout,
            "max_cost": options.max_cost,
            "max_steps": options.max_steps,
            "person": person,
            "record": options.record or self._workspace.settings.record_to,
            "schema": self._schema,
        }
        if sent.kind == "command":
            return session.command(sent.name, sent.text, files=self._carried, wait=False, **settings)
        if self._submission is None:
            self._submission = Submission.prepared(self._carried)
        return send(session, self._submission, settings)

    def _choice(self) -> TurnOptions:
        """Return who is to answer, as far as the cell says it."""
        options = self._options
        return {
            "model": options.model,
            "agent": options.agent,
            "variant": options.variant,
            "effort": options.effort,
        }

    # -- in the foreground ---------------------------------------------------------------------------------------------

    def _in_foreground(self, session: Session) -> Turn | None:
        agent_code.refuse_waiting(session.id)  # before a view is made of it
        view, turn, failure = self._tried(session, Jobs())
        notes = [*(self._notes if view.cleared else ()), *turn.state.warnings, *_warnings(turn)]
        turn._repr_mimebundle_()  # rendered first: a print replaces the view, and the turn must follow at once
        print(*notes, sep="\n", end="\n" if notes else "")  # noqa: T201  # the cell's own output
        shown = self._options.quiet or view.final
        if self._whole and failure is None and not shown:
            self._store(turn, as_value=False)
            return turn
        self._store(turn)
        if not shown:
            display(turn)
        if failure is not None:
            raise failure
        return None if self._whole else turn

    def _tried(self, session: Session, jobs: Jobs) -> tuple[View, Turn, CellError | None]:
        """Run the turn, again as long as --retry says so; return the last one with its view, and its failure."""
        retry = Retry.of(self._options.retry)
        for attempt in count(1):
            view = self._view(session, jobs)
            turn, failure = self._wait(session, view, jobs)
            decision = next_try(turn, attempt, retry)
            if decision is None:
                break
            self._note(f"{turn.error} {decision.reason}")
            if not _paused(session, decision.delay):
                break
        return view, turn, failure

    def _view(self, session: Session, jobs: Jobs) -> View:
        return make_view(self._frontend, session, jobs, quiet=self._options.quiet, whole=self._whole)

    def _wait(self, session: Session, view: View, jobs: Jobs) -> tuple[Turn, CellError | None]:
        """Show the turn while it runs; on an interrupt, abort it and keep the partial output."""
        with view:
            turn: Turn | None = None
            try:
                with session.stopped_by_interrupt():
                    turn = self._send(session, view.person)
                    view.attach(turn)
                    session.wait(turn, jobs)
            except KeyboardInterrupt:
                if turn is None:
                    raise
                return turn, Interrupted("Interrupted: the agent was stopped. The partial answer is kept, in `_`.")
        if turn.error is not None:
            return turn, self._failure(turn.error)
        return turn, None

    def _failure(self, error: Exception) -> CellError:
        """Make the cell fail. The turn above tells why, but the log of a headless run has nothing but this line."""
        name, above = type(error).__name__, "see the turn above."
        if self._options.quiet:
            above = str(error)
        elif self._frontend is Frontend.HEADLESS:
            above = f"{shorten(str(error), BRIEF, placeholder='…')} (see the turn above)"
        return CellError(f"{name}: {error}", f"{name}: {above}")

    def _store(self, turn: Turn, *, as_value: bool = True) -> None:
        """Store the Turn, or the value of its schema, in the -o variable; with `as_value`, the Turn in `_` and Out.

        A turn that failed has no value: the variable keeps what it had.
        """
        if self._options.output and (self._schema is None or turn.error is None):
            self._shell.user_ns[self._options.output] = turn.data if self._schema else turn
        if as_value:
            self._shell.displayhook.update_user_ns(turn)

    # -- in the background ---------------------------------------------------------------------------------------------

    def _in_background(self, session: Session) -> Turn:
        """Return at once; in a page, the output shows the live turn, then its static form."""
        if self._frontend is not Frontend.PAGE or self._options.quiet:
            turn = self._send(session, None)
            self._store(turn)
            if not self._options.quiet:
                print(_UNWATCHED)  # noqa: T201
            return turn
        view = PageView(session, None)
        try:
            turn = self._send(session, view.person)
        except _Unsent:
            view.close()
            raise
        self._store(turn)
        view.__enter__()
        view.attach(turn)
        context = contextvars.copy_context()  # lets ipykernel 7 find the cell's output from any thread
        settle = threading.Thread(target=context.run, args=(view.replace, turn), daemon=True)
        turn.on_done(settle.start)  # not on the loop's own thread: closing the view waits for the loop
        return turn


class ReplayedCell(PromptCell):
    """A prompt whose turn is played from a recording: the notebook's, or with `--replay` one beside its session."""

    def _read(self) -> None:
        if self._body.kind == "prompt":
            self._body = Body(*read(self._player.owner if self._player else self._workspace.ai, self._body.text))

    def _continue(self) -> None:
        """Do nothing: a replay begins anew."""

    def _announce(self) -> None:
        workspace = self._workspace
        if self._player is None and not workspace.announced and (recording := workspace.ai.recording):
            workspace.announced = True
            self._note(f"Replay of {recording.path.name}: no server runs, and no model is asked.")

    @cached_property
    def _player(self) -> Session | None:
        return self._workspace.replay(self._options.replay) if self._options.replay else None

    def _session(self) -> AbstractContextManager[Session]:
        return nullcontext(self._player) if self._player else super()._session()

    def _in(self, session: Session) -> Turn | None:
        if self._body.kind != "shell":
            self._carry(session)
        return self._in_foreground(session)

    def _offer(self, session: Session) -> None:
        """Do nothing: there is no agent."""

    def _view(self, session: Session, jobs: Jobs) -> View:
        return SilentView(None)  # the turn is there at once

    def _send(self, session: Session, person: Person | None) -> Turn:
        try:
            turn = self._begin(session, person)
        except (OpencodeError, OSError, ValueError) as error:
            raise _Unsent(error) from error
        if session is not self._player:
            self._workspace.session = session
        return turn


def _paused(session: Session, seconds: float) -> bool:
    """Wait before the next try; return False if an interrupt or an abort ended the wait."""
    try:
        return run(session._async.pause, seconds)
    except KeyboardInterrupt:
        return False


def _warnings(turn: Turn) -> list[str]:
    """Warn if the agent changed the open notebook, while there is still time to reload it."""
    if not turn.tools or is_told(turn.state.warnings):
        return []
    try:
        diff = turn.diff()
    except (OpencodeError, OSError):
        return []  # a diff that cannot be read must not fail the cell
    warning = own_notebook_warning(diff.files, diff.root)
    return [warning] if warning else []


class _Unsent(Exception):  # internal to this file
    """The prompt could not be sent, because of `error`."""

    def __init__(self, error: Exception) -> None:
        self.error = error
