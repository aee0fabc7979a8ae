"""What a panel's page chooses of the kernel reaches whoever offers it, for the session that is shown."""

from __future__ import annotations

from opencode_nb.demo import DemoModel, text
from opencode_nb.session.session import AsyncSession
from opencode_nb.tools.privacy import Level
from tests.widgets.panel import Panel


class Access:
    """What the sessions of a test may use and know."""

    def __init__(self) -> None:
        self.chosen: dict[str, tuple[bool, Level]] = {}
        self.places: dict[str, str] = {}

    def tools(self, session: AsyncSession, /) -> bool:
        return self.chosen.get(session.id, (True, Level.FULL))[0]

    def level(self, session: AsyncSession, /) -> Level:
        return self.chosen.get(session.id, (True, Level.FULL))[1]

    def place(self, session: AsyncSession, /) -> str:
        return self.places.get(session.id, "card")

    def choose(self, session: AsyncSession, /, *, tools: bool | None, level: Level, place: str | None) -> None:
        self.chosen[session.id] = (self.tools(session) if tools is None else tools, level)
        self.places[session.id] = place or self.place(session)


def test_tools_and_level_are_chosen_for_the_session_that_is_shown(shown: Panel, demo_model: DemoModel) -> None:
    assert shown.state["kernel"] is None
    assert "no kernel" in shown.do("kernel", tools=False)["message"]
    access = shown.panel.kernel = Access()
    session = shown.panel.session.id
    shown.done("kernel", tools=False)
    shown.wait(lambda state: state["kernel"] and state["kernel"]["tools"] is False)
    shown.done("kernel", level="schema")
    shown.wait(lambda state: state["kernel"]["level"] == "schema")
    assert access.chosen == {session: (False, Level.SCHEMA)}
    assert shown.state["notice"] is None  # nothing was sent yet
    assert "is not a privacy level" in shown.do("kernel", level="secret")["message"]
    shown.done("kernel", place="below")
    shown.wait(lambda state: state["kernel"]["place"] == "below")
    assert "Did you mean below?" in shown.do("kernel", place="belwo")["message"]

    demo_model.queue([text("Hello.")])
    shown.panel.send("Say hello").wait()
    shown.done("kernel", level="full")
    assert shown.state["notice"] is None
    shown.done("kernel", level="names")
    shown.wait(lambda state: state["notice"] and "stays with the provider" in state["notice"]["text"])
    assert shown.state["notice"]["again"] == {"kind": "new"}
    shown.done("new")
    shown.wait(lambda state: state["session"]["id"] != session)
    assert shown.state["kernel"]["level"] == "full"
    assert access.chosen == {session: (False, Level.NAMES)}
