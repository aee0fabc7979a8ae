"""Ask the user for a permission in the running cell, while no turn runs: by a card on its page, else with `input()`."""

from __future__ import annotations

from concurrent.futures import Future
from uuid import uuid4

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display, update_display

from opencode_nb import portal
from opencode_nb.magics.showing.frontend import Frontend, detect
from opencode_nb.session.permissions.console import ConsolePerson
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.session.permissions.policy import Answer, Person
from opencode_nb.transcript.state import Json


def asked(shell: InteractiveShell, request: Json) -> Answer | None:
    """Return the user's answer to a request; None if nobody can be asked."""
    frontend, jobs = detect(shell), Jobs()
    if frontend is Frontend.HEADLESS:
        return None
    console = ConsolePerson(jobs)
    if frontend is Frontend.TERMINAL:
        return _answer(console, request, jobs)
    from opencode_nb.widgets.request import RequestView

    view, place = RequestView(request, console), f"opencode_nb-{uuid4().hex}"
    display(view.widget, display_id=place)
    try:
        return _answer(view.person, request, jobs)
    finally:
        update_display({"text/plain": ""}, raw=True, display_id=place)
        view.close()


def _answer(person: Person, request: Json, jobs: Jobs) -> Answer | None:
    answering: Future[Answer | None] = portal.start(person.permission, request)
    try:
        jobs.serve_until(answering)
    except BaseException:
        answering.cancel()
        raise
    return answering.result()
