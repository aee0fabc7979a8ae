"""%%prompt: the cell's text goes to the agent, the turn streams into the output, and the Turn is the cell's value."""

from __future__ import annotations

import contextvars
import threading
from argparse import Namespace

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from ..conversation.console import ConsolePerson
from ..conversation.models import ModelChoice
from ..conversation.policy import Person
from ..conversation.sync import Session
from ..conversation.turn import Turn
from ..conversation.waiting import Jobs
from .failure import CellError, Interrupted
from .frontend import Frontend, detect
from .views import PageView, SilentView, TerminalView, View
from .workspace import Workspace


def run_prompt(shell: InteractiveShell, workspace: Workspace, options: Namespace, text: str) -> Turn | None:
    """One turn, from the cell's text to its value. Raises CellError where the turn failed or was interrupted."""
    frontend = detect(shell)
    announcement = _announce(workspace, options)
    session = _session(workspace, options)
    if options.background:
        return _in_background(shell, session, options, text, frontend)
    jobs = Jobs()
    view = _view(frontend, options, session, jobs)
    turn, failure = _wait(session, view, jobs, text, options)
    if announcement and view.cleared:
        print(announcement)  # noqa: T201  # clearing the live view took the first one away
    return _give(shell, turn, failure, options)


def _announce(workspace: Workspace, options: Namespace) -> str:
    """Before the first turn leaves: which model it goes to, and who chose it. Raises ModelError where there is none."""
    if workspace.announced and not options.model:
        return ""
    if not workspace.running:
        print("Starting OpenCode…")  # noqa: T201  # the cell's own output
    choice = workspace.ai.model_choice(options.model)
    if workspace.announced:
        return ""
    workspace.announced = True
    text = announcement(choice)
    print(text)  # noqa: T201
    return text


def announcement(choice: ModelChoice) -> str:
    """The line that names model and provider, and warns where the content leaves for a public service unasked."""
    who = {"option": "your option", "configuration": "OpenCode's configuration", "default": "OpenCode's own default"}
    line = f"Model: {choice.name} of {choice.provider_name} ({choice.model}), by {who[choice.chosen_by]}."
    if choice.unasked_public:
        line += " This sends the notebook's content to a free public provider; choose another with -m provider/model."
    return line


def _session(workspace: Workspace, options: Namespace) -> Session:
    if options.new:
        return workspace.new()
    return workspace.use(options.session) if options.session else workspace.current()


def _view(frontend: Frontend, options: Namespace, session: Session, jobs: Jobs) -> View:
    console = ConsolePerson(jobs)
    if options.quiet or frontend is Frontend.HEADLESS:
        return SilentView(console if frontend is not Frontend.HEADLESS else None)
    return PageView(session, console) if frontend is Frontend.PAGE else TerminalView(session, console)


def _send(session: Session, text: str, options: Namespace, person: Person | None) -> Turn:
    return session.prompt(
        text,
        files=options.file,
        model=options.model,
        agent=options.agent,
        variant=options.variant,
        permission=options.permission,
        timeout=options.timeout,
        person=person,
        wait=False,
    )


def _wait(session: Session, view: View, jobs: Jobs, text: str, options: Namespace) -> tuple[Turn, CellError | None]:
    """Show the turn while it runs; an interrupt aborts it and keeps what came."""
    with view:
        turn = _send(session, text, options, view.person)
        view.attach(turn)
        try:
            session.wait(turn, jobs)
        except KeyboardInterrupt:
            return turn, Interrupted("Interrupted: the agent was stopped; what came until then is kept.")
    if turn.error is not None:
        return turn, CellError(f"{type(turn.error).__name__}: {turn.error}")
    return turn, None


def _give(shell: InteractiveShell, turn: Turn, failure: CellError | None, options: Namespace) -> Turn | None:
    """Make the Turn the cell's value; a failed one is shown, and then fails the cell."""
    _store(shell, turn, options)
    if failure is not None:
        if not options.quiet:
            display(turn)
        raise failure
    if options.quiet:
        shell.user_ns["_"] = turn
        return None
    return turn


def _store(shell: InteractiveShell, turn: Turn, options: Namespace) -> None:
    if options.output:
        shell.user_ns[options.output] = turn


def _in_background(
    shell: InteractiveShell, session: Session, options: Namespace, text: str, frontend: Frontend
) -> Turn | None:
    """Return at once; the cell's output shows the turn as it goes on, and its static form when it has ended."""
    view = PageView(session, None) if frontend is Frontend.PAGE and not options.quiet else None
    if view is not None:
        view.__enter__()
    turn = _send(session, text, options, view.person if view else None)
    _store(shell, turn, options)
    shell.user_ns["_"] = turn
    if view is None:
        return None if options.quiet else turn
    view.attach(turn)
    context = contextvars.copy_context()  # ipykernel 7 finds a cell's output by it, from any thread
    settle = threading.Thread(target=context.run, args=(_settle, view, turn), daemon=True)
    turn.on_done(settle.start)  # not on the loop's own thread: closing the view waits for the loop
    return None


def _settle(view: PageView, turn: Turn) -> None:
    view.replace(turn)
    view.close()
