"""Call every operation of the server in a working order, and record the outcomes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

from opencode_nb.demo import DemoModel, gate, text
from opencode_nb.errors import APIStatusError, APITimeoutError, OpencodeError
from opencode_nb.transcript.ids import message_id
from tests.api import mcp_parts
from tests.api.faces import Face
from tests.recordings.stage import ALLOW_ALL, EventLog

OK = "ok"
TIMEOUT = "no answer"
WAIT = 60.0  # seconds that anything may take on a busy machine
NEW_FILE = "diff --git a/new.txt b/new.txt\nnew file mode 100644\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+new\n"
ASK = [
    {"permission": "bash", "pattern": "*", "action": "ask"},
    {"permission": "question", "pattern": "*", "action": "allow"},
]


class Tour:
    """The tools of the tour: a client, the events of its project, the model; and the outcomes so far.

    `elsewhere`: a directory that is not a repository; `guarded`: the URL of an MCP server that requires a login.
    """

    def __init__(
        self, face: Face, log: EventLog, model: DemoModel, project: Path, elsewhere: Path, guarded: str
    ) -> None:
        self.face = face
        self.log = log
        self.model = model
        self.project = project
        self.elsewhere = elsewhere
        self.guarded = guarded
        self.outcomes: dict[str, str] = {}

    def open(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Return what the operation returns at once: a coroutine, a stream, a terminal, or the result."""
        return attrgetter(name)(self.face.client)(*args, **kwargs)

    def call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call an operation that must succeed."""
        try:
            result = self.face.wait(self.open(name, *args, **kwargs))
        except OpencodeError as error:
            raise AssertionError(f"{name}{args}: {error}") from error
        self.outcomes[name] = OK
        return result

    def refused(self, name: str, /, *args: Any, **kwargs: Any) -> None:
        """Call an operation that must fail."""
        try:
            result = self.face.wait(self.open(name, *args, **kwargs))
        except APIStatusError as error:
            said = error.name or (error.body.get("error") if isinstance(error.body, dict) else "")
            self.outcomes.setdefault(name, f"{error.status} {said or ''}".strip())
        except APITimeoutError:
            self.outcomes.setdefault(name, TIMEOUT)
        else:
            raise AssertionError(f"{name}{args} was to be refused, and gave {result!r}")

    def streams(self, name: str, /, *args: Any, until: str, provoke: Callable[[], Any] = lambda: None) -> Any:
        """Read a stream up to an event of this kind, calling `provoke` once it is open; return its result."""
        with self.face.entered(self.open(name, *args)) as events:
            result = provoke()
            while (event := self.face.next(events)).get("payload", event).type != until:
                pass
        self.outcomes[name] = OK
        return result

    def terminal(self, name: str, /, *args: Any, **kwargs: Any) -> None:
        """Talk to a terminal that runs `cat`."""
        with self.face.entered(self.open(name, *args, **kwargs)) as terminal:
            self.face.wait(terminal.send("marco\n"))
            output = ""
            while output.count("marco") < 2:
                output += self.face.wait(terminal.receive(WAIT)) or ""
        self.outcomes[name] = OK

    def happens(self, kind: str, since: int, **properties: Any) -> Any:
        """Return the properties of the first event of this kind with these properties, from this log position."""

        def is_it(event: Any) -> bool:
            found = event["properties"]
            return event["type"] == kind and all(found.get(name) == value for name, value in properties.items())

        return self.log.until(is_it, since=since, timeout=WAIT)["properties"]

    def begin(self, session: str, prompt: str) -> int:
        """Send a prompt without waiting; return the log position where its events start."""
        since = len(self.log.events)
        self.call("session.prompt_async", session, parts=[{"type": "text", "text": prompt}])
        return since


def whole(tour: Tour) -> None:
    """Visit every operation, with those that end things last."""
    for stop in (
        information, files, projects, sessions, turns, histories, requests, mcp, logins, terminals, screens, streams,
        worktrees, workspaces, synchronisation, v2_information, v2_integrations, v2_sessions, v2_requests, v2_copies,
        ends,
    ):  # fmt: skip
        stop(tour)


def information(tour: Tour) -> None:
    assert tour.call("global_.health").healthy
    tour.call("global_.config.get")
    assert tour.call("path.get").directory == str(tour.project)
    assert tour.call("config.get").model == "demo/demo"
    assert "demo" in {provider.id for provider in tour.call("config.providers").providers}
    assert "demo" in tour.call("provider.list").connected
    assert tour.call("app.log", service="tour", level="info", message="on tour") is True
    assert "build" in {agent.name for agent in tour.call("app.agents")}
    assert {"init", "greet"} <= {command.name for command in tour.call("command.list")}
    assert "bash" in tour.call("tool.ids")
    assert "bash" in {tool.id for tool in tour.call("tool.list", provider="demo", model="demo")}
    for name in ("app.skills", "formatter.status", "lsp.status", "provider.auth", "experimental.capabilities.get"):
        tour.call(name)
    assert tour.call("experimental.console.get").switchableOrgCount == 0
    assert tour.call("experimental.console.list_orgs").orgs == []
    tour.refused("experimental.console.switch_org", accountID="nobody", orgID="nothing")
    tour.refused("global_.upgrade", target=1)


def files(tour: Tour) -> None:
    assert "README.md" in {node.name for node in tour.call("file.list", path=".")}
    assert tour.call("file.read", path="README.md").content.startswith("# Temperatures")
    assert "src/temperatures.py" in tour.call("find.files", query="temperatures")
    assert tour.call("find.text", pattern="def mean")[0].path.text == "src/temperatures.py"
    assert tour.call("find.symbols", query="mean") == []
    tour.call("file.status")
    assert tour.call("vcs.get").branch == "main"
    assert tour.call("vcs.diff.raw") == ""
    (tour.project / "README.md").write_text("changed\n", encoding="utf-8")
    assert "+changed" in tour.call("vcs.diff.raw")
    assert tour.call("vcs.apply", patch=NEW_FILE).applied
    assert (tour.project / "new.txt").read_text(encoding="utf-8") == "new\n"
    assert {change.file for change in tour.call("vcs.status")} == {"README.md", "new.txt"}
    assert {change.file for change in tour.call("vcs.diff", mode="git")} == {"README.md", "new.txt"}


def projects(tour: Tour) -> None:
    current = tour.call("project.current")
    assert current.id in {project.id for project in tour.call("project.list")}
    assert tour.call("project.update", current.id, name="Tour").name == "Tour"
    tour.call("project.directories", current.id)
    assert tour.call("project.init_git", directory=str(tour.elsewhere)).vcs == "git"
    assert (tour.elsewhere / ".git").is_dir()
    assert tour.call("experimental.project_copy.generate_name", current.id).name


def sessions(tour: Tour) -> None:
    made = tour.call("session.create", title="First")
    child = tour.call("session.create", parentID=made.id)
    assert tour.call("session.update", made.id, title="Second").title == "Second"
    assert tour.call("session.get", made.id).title == "Second"
    assert made.id in {session.id for session in tour.call("session.list")}
    assert made.id in {session.id for session in tour.call("experimental.session.list")}
    assert [session.id for session in tour.call("session.children", made.id)] == [child.id]
    assert tour.call("session.todo", made.id) == []
    assert tour.call("experimental.session.background", made.id) is False
    tour.call(
        "experimental.control_plane.move_session", sessionID=made.id, destination={"directory": str(tour.project)}
    )
    tour.refused("session.share", made.id)
    assert "share" not in tour.call("session.unshare", made.id)
    assert tour.call("session.delete", made.id) is True


def turns(tour: Tour) -> None:
    session = tour.call("session.create", permission=ALLOW_ALL).id
    said = tour.call("session.prompt", session, parts=[{"type": "text", "text": "Say exactly: hello"}])
    assert said.parts[1].text == "hello"
    greeted = tour.call("session.command", session, command="greet", arguments="world")
    assert greeted.parts[1].text == "hello world"
    shelled = tour.call("session.shell", session, agent="build", command="echo out of the shell")
    assert "out of the shell" in shelled.parts[-1].state.output
    assert tour.call("session.init", session, providerID="demo", modelID="demo", messageID=message_id()) is True
    assert tour.call("session.summarize", session, providerID="demo", modelID="demo") is True
    name = f"tour {session}"
    tour.model.queue([text("begun"), gate(name), text("too late")])
    since = tour.begin(session, "Wait")
    tour.happens("message.part.delta", since, sessionID=session)
    assert tour.call("session.status")[session].type == "busy"
    assert tour.call("session.abort", session) is True
    tour.happens("session.idle", since, sessionID=session)
    tour.model.release(name)


def histories(tour: Tour) -> None:
    session = tour.call("session.create", permission=ALLOW_ALL).id
    note = tour.project / "history.md"
    tour.call("session.prompt", session, parts=[{"type": "text", "text": "Write a new file history.md"}])
    tour.log.until(lambda event: _has_diffs(event, session), timeout=WAIT)  # they can arrive after the answer
    first, *_, last = tour.call("session.messages", session)
    assert tour.call("session.message", session, first.info.id) == first
    assert [change.file for change in tour.call("session.diff", session, messageID=first.info.id)] == ["history.md"]
    assert tour.call("session.revert", session, messageID=first.info.id).revert.messageID == first.info.id
    assert not note.exists()
    assert "revert" not in tour.call("session.unrevert", session)
    assert note.exists()
    copied = tour.call("session.fork", session, messageID=last.info.id)
    assert len(tour.call("session.messages", copied.id)) == len(tour.call("session.messages", session)) - 1
    part = next(part for part in last.parts if part.type == "text")
    place = (session, last.info.id, part.id)
    assert tour.call("part.update", *place, body={**part, "text": "rewritten"}).text == "rewritten"
    assert tour.call("part.delete", *place) is True
    assert tour.call("session.delete_message", session, last.info.id) is True


def _has_diffs(event: Any, session: str) -> bool:
    info = event["properties"].get("info", {})
    return info.get("sessionID") == session and bool((info.get("summary") or {}).get("diffs"))


def requests(tour: Tour) -> None:
    session = tour.call("session.create", permission=ASK).id

    def asked(kind: str, prompt: str) -> tuple[int, Any]:
        since = tour.begin(session, prompt)
        return since, tour.happens(f"{kind}.asked", since, sessionID=session)

    def ends(since: int) -> None:
        tour.happens("session.idle", since, sessionID=session)

    since, request = asked("permission", "Ask for permission")
    assert [waiting.id for waiting in tour.call("permission.list")] == [request["id"]]
    assert tour.call("permission.reply", request["id"], reply="once") is True
    ends(since)
    assert (tour.project / "demo-permission.txt").exists()
    since, request = asked("permission", "Ask for permission")
    assert tour.call("permission.respond", session, request["id"], response="reject") is True
    ends(since)
    since, request = asked("question", "Ask me a question")
    assert [waiting.id for waiting in tour.call("question.list")] == [request["id"]]
    assert tour.call("question.reply", request["id"], answers=[["CSV"], ["time", "value"]]) is True
    ends(since)
    since, request = asked("question", "Ask me a question")
    assert tour.call("question.reject", request["id"]) is True
    ends(since)


def mcp(tour: Tour) -> None:
    local = {"type": "local", "command": [sys.executable, mcp_parts.__file__]}
    assert tour.call("mcp.add", name="local", config=local)["local"].status == "connected"
    assert [found.uri for found in tour.call("experimental.resource.list").values()] == ["note://one"]
    assert tour.call("mcp.disconnect", "local") is True
    assert tour.call("mcp.status")["local"].status == "disabled"
    assert tour.call("mcp.connect", "local") is True
    assert tour.call("mcp.status")["local"].status == "connected"
    remote = {"type": "remote", "url": f"{tour.guarded}/mcp"}
    assert tour.call("mcp.add", name="guarded", config=remote)["guarded"].status == "needs_auth"
    assert tour.call("mcp.auth.start", "guarded").authorizationUrl.startswith(f"{tour.guarded}/authorize?")
    assert tour.call("mcp.auth.callback", "guarded", code="a-code").status == "connected"
    assert tour.call("mcp.auth.remove", "guarded").success
    tour.refused("mcp.auth.authenticate", "local")
    for name in ("local", "guarded"):
        tour.call("mcp.disconnect", name)


def logins(tour: Tour) -> None:
    assert tour.call("auth.set", "tour", body={"type": "api", "key": "none"}) is True
    assert tour.call("auth.remove", "tour") is True
    assert tour.call("provider.oauth.authorize", "tour", method=0).method == "code"
    assert tour.call("provider.oauth.callback", "tour", method=0, code="a-code") is True
    tour.call("auth.remove", "tour")


def terminals(tour: Tour) -> None:
    assert tour.call("pty.shells")
    made = tour.call("pty.create", command="/bin/cat")
    assert tour.call("pty.get", made.id).status == "running"
    assert made.id in {pty.id for pty in tour.call("pty.list")}
    assert tour.call("pty.update", made.id, title="Cat", size={"rows": 20, "cols": 70}).title == "Cat"
    tour.terminal("pty.connect", made.id, ticket=tour.call("pty.connect_token", made.id).ticket)
    assert tour.call("pty.remove", made.id) is True
    made = tour.call("v2.pty.create", command="/bin/cat").data
    assert tour.call("v2.pty.get", made.id).data.status == "running"
    assert made.id in {pty.id for pty in tour.call("v2.pty.list").data}
    assert tour.call("v2.pty.update", made.id, title="Cat").data.title == "Cat"
    tour.terminal("v2.pty.connect", made.id, ticket=tour.call("v2.pty.connect_token", made.id).data.ticket)
    assert tour.call("v2.pty.remove", made.id) is None


def screens(tour: Tour) -> None:
    session = tour.call("session.create").id
    since = len(tour.log.events)
    toast = {"message": "m", "variant": "info"}
    assert tour.call("tui.show_toast", **toast) is True
    assert tour.happens("tui.toast.show", since)["message"] == "m"
    assert tour.call("tui.publish", body={"type": "tui.toast.show", "properties": toast}) is True
    assert tour.call("tui.append_prompt", text="x") is True
    assert tour.call("tui.execute_command", command="session_new") is True
    assert tour.call("tui.select_session", sessionID=session) is True
    for name in ("clear_prompt", "open_help", "open_models", "open_sessions", "open_themes", "submit_prompt"):
        assert tour.call(f"tui.{name}") is True
    tour.refused("tui.control.next", timeout=0.5)
    assert tour.call("tui.control.response", body=None) is True


def streams(tour: Tour) -> None:
    for name in ("event.subscribe", "v2.event.subscribe"):
        tour.streams(name, until="server.connected")


def worktrees(tour: Tour) -> None:
    made = tour.streams(
        "global_.event", until="worktree.ready", provoke=lambda: tour.call("worktree.create", name="side")
    )
    side = made.directory
    assert side in tour.call("worktree.list")
    (Path(side) / "README.md").write_text("changed\n", encoding="utf-8")
    assert tour.call("worktree.reset", directory=side) is True
    assert (Path(side) / "README.md").read_text(encoding="utf-8").startswith("# Temperatures")
    assert tour.call("worktree.remove", directory=side) is True
    assert not Path(side).exists()


def workspaces(tour: Tour) -> None:
    session = tour.call("session.create").id
    assert [adapter.type for adapter in tour.call("experimental.workspace.adapter.list")] == ["worktree"]
    made = tour.call("experimental.workspace.create", type="worktree", branch=None, extra=None)
    assert made.id in {workspace.id for workspace in tour.call("experimental.workspace.list")}
    tour.call("experimental.workspace.status")
    tour.call("experimental.workspace.sync_list")
    tour.call("experimental.workspace.warp", id=made.id, sessionID=session)
    tour.call("experimental.workspace.warp", id=None, sessionID=session)
    tour.call("experimental.workspace.remove", made.id)


def synchronisation(tour: Tour) -> None:
    session = tour.call("session.create").id
    assert tour.call("sync.start") is True
    history = tour.call("sync.history.list", body={})
    event = next(event for event in history if event.aggregate_id == session)
    again = {**event, "aggregateID": event.aggregate_id}
    del again["aggregate_id"]
    assert tour.call("sync.replay", directory=str(tour.project), events=[again]).sessionID == session
    tour.refused("sync.steal", sessionID=session)


def v2_information(tour: Tour) -> None:
    assert tour.call("v2.health.get").healthy
    assert tour.call("v2.location.get").directory == str(tour.project)
    assert "build" in {agent.id for agent in tour.call("v2.agent.list").data}
    assert "init" in {command.name for command in tour.call("v2.command.list").data}
    assert "opencode" in {provider.id for provider in tour.call("v2.provider.list").data}
    assert tour.call("v2.provider.get", "opencode").data.id == "opencode"
    for name in ("model", "reference", "skill"):
        assert isinstance(tour.call(f"v2.{name}.list").data, list)
    assert "pyproject.toml" in {entry.path for entry in tour.call("v2.fs.list").data}
    assert "pyproject.toml" in {entry.path for entry in tour.call("v2.fs.find", query="pyproject").data}
    assert tour.call("v2.fs.read", "data/measured.csv").startswith(b"day,celsius")


def v2_integrations(tour: Tour) -> None:
    known = {integration.id: integration for integration in tour.call("v2.integration.list").data}
    wanted = next(id_ for id_, found in known.items() if {"type": "key"} in found.methods)
    assert tour.call("v2.integration.connect.key", wanted, key="none", label="first") is None
    (connection,) = tour.call("v2.integration.get", wanted).data.connections
    assert connection.label == "first"
    assert tour.call("v2.credential.update", connection.id, label="second") is None
    assert tour.call("v2.integration.get", wanted).data.connections[0].label == "second"
    assert tour.call("v2.credential.remove", connection.id) is None
    tour.refused("v2.integration.connect.oauth", wanted, methodID="none", inputs={})
    tour.refused("v2.integration.attempt.status", "missing")
    tour.refused("v2.integration.attempt.complete", "missing")
    assert tour.call("v2.integration.attempt.cancel", "missing") is None


def v2_sessions(tour: Tour) -> None:
    session = tour.call("v2.session.create", location={"directory": str(tour.project)}).data.id
    assert tour.call("v2.session.get", session).data.id == session
    assert session in {found.id for found in tour.call("v2.session.list").data}
    assert tour.call("v2.session.switch_agent", session, agent="plan") is None
    assert tour.call("v2.session.switch_model", session, model={"providerID": "demo", "id": "demo"}) is None
    message = tour.call("v2.session.prompt", session, prompt={"text": "Say exactly: hello"}).data.id
    tour.streams("v2.session.events", session, until="session.next.prompted")  # it starts with past events
    tour.call("v2.session.active")
    assert tour.call("v2.session.interrupt", session) is None
    assert tour.call("v2.session.messages", session).data
    assert tour.call("v2.session.context", session).data
    assert tour.call("v2.session.history", session).data
    assert tour.call("v2.session.message", session, message).data.id == message
    assert tour.call("v2.session.revert.stage", session, messageID=message).data.messageID == message
    assert tour.call("v2.session.revert.clear", session) is None
    tour.call("v2.session.revert.stage", session, messageID=message)
    assert tour.call("v2.session.revert.commit", session) is None
    tour.refused("v2.session.compact", session)
    tour.refused("v2.session.wait", session)


def v2_requests(tour: Tour) -> None:
    session = tour.call("v2.session.create", location={"directory": str(tour.project)}).data.id
    wanted = {"action": "webfetch", "resources": ["x"], "save": ["x"]}
    request = tour.call("v2.session.permission.create", session, **wanted).data
    assert request.effect == "ask"
    assert [waiting.id for waiting in tour.call("v2.session.permission.list", session).data] == [request.id]
    assert request.id in {waiting.id for waiting in tour.call("v2.permission.request.list").data}
    assert tour.call("v2.session.permission.get", session, request.id).data.id == request.id
    assert tour.call("v2.session.permission.reply", session, request.id, reply="always") is None
    for saved in tour.call("v2.permission.saved.list").data:
        assert tour.call("v2.permission.saved.remove", saved.id) is None
    assert tour.call("v2.question.request.list").data == []
    assert tour.call("v2.session.question.list", session).data == []
    tour.refused("v2.session.question.reply", session, "que_missing", answers=[])
    tour.refused("v2.session.question.reject", session, "que_missing")


def v2_copies(tour: Tour) -> None:
    project = tour.call("project.current").id
    beside = tour.project.with_name("copies")
    copied = tour.call("v2.project_copy.create", project, strategy="git_worktree", directory=str(beside), name="one")
    assert (Path(copied.directory) / "README.md").exists()
    assert tour.call("v2.project_copy.refresh", project) is None
    assert tour.call("v2.project_copy.remove", project, directory=copied.directory, force=True) is None
    assert not Path(copied.directory).exists()


def ends(tour: Tour) -> None:
    assert tour.call("config.update", username="tourist").username == "tourist"
    assert "tourist" in (tour.project / "config.json").read_text(encoding="utf-8")  # which the server does not read
    tour.call("global_.config.update", username="visitor")
    assert tour.call("global_.config.get").username == "visitor"
    assert tour.call("instance.dispose") is True
    assert tour.call("global_.dispose") is True
