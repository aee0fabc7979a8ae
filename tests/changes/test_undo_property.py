"""Random turns, random edits by the user alongside, then undo and redo in any order: no edit of the user is lost.

Drives the real server and the disk. `OPENCODE_NB_EXAMPLES` sets the number of histories, different ones each time.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

import opencode_nb as oc
from opencode_nb.changes.diff import Outcome
from opencode_nb.changes.undo_result import Undone
from opencode_nb.demo import DemoModel, gate, text, tool
from opencode_nb.demo.endpoint import PATCH_MODEL
from opencode_nb.server import Server

EXAMPLES = os.environ.get("OPENCODE_NB_EXAMPLES", "")

NAMES = ["plain.txt", "with blank.txt", 'q"uote.txt', "new\nline.txt", "café.txt", "中文.txt", "🙂.txt", "deep/er.txt"]
NAMES += ["[i].txt", "ignored.log"]
PLACES = ["repository", "sub-folder", "worktree", "link", "no git"]
TOOLS = ["edit", "write", "apply_patch", "bash", "delete", "rename"]
HANDS = ["edit", "create", "delete", "save", "chmod"]
ACTS = ["undo", "undo all", "redo", "revert", "apply", "revert hunk", "apply hunk"]

TOKEN = re.compile(r"user-\d+")

World = dict[str, tuple[str, int]]
"""Maps path to a file's text, and whether it is executable."""


@pytest.fixture(scope="module")
def play(
    server: Server, server_model: DemoModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Server, DemoModel, Iterator[Path]]:
    base = tmp_path_factory.mktemp("histories")
    return server, server_model, (base / str(number) for number in itertools.count())


@settings(
    max_examples=int(EXAMPLES or 12),
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
)
@given(data=st.data())
def test_no_edit_of_the_user_is_lost(data: st.DataObject, play: Any) -> None:
    server, model, folders = play
    place = data.draw(st.sampled_from(PLACES), label="place")
    history = History(data, place, next(folders), model)
    with oc.Opencode(
        base_url=server.url, password=server.password, directory=history.directory, permission="allow"
    ) as ai:
        history.play(ai.session())


class History:
    """One session in one folder, its turns, and the user's edits alongside."""

    def __init__(self, data: st.DataObject, place: str, folder: Path, model: DemoModel) -> None:
        self.data, self.place, self.model = data, place, model
        self.numbers = itertools.count()
        self.by_hand: set[str] = set()
        self.by_command: set[str] = set()
        self.root = self.directory = folder / "project"
        self._lay_out(folder)
        self.start = self.world()

    def _lay_out(self, folder: Path) -> None:
        self.root.mkdir(parents=True)
        for name in NAMES:
            if self.data.draw(st.booleans(), label=f"there is {name!r}"):
                self._save(name, [f"{self._mine()}\n", "a\n", "b\n", "c\n", "d\n", "e\n", "f\n", "g\n"])
        if self.place == "no git":
            return
        (self.root / ".gitignore").write_text("*.log\n")
        git = ["git", "-C", str(self.root)]
        subprocess.run([*git, "init", "-q"], check=True)
        if self.data.draw(st.booleans(), label="committed"):
            subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", "x", "--allow-empty"], check=True)
        if self.place == "sub-folder":
            self.directory = self.root / "deep"
            self.directory.mkdir(exist_ok=True)
        elif self.place == "worktree":
            subprocess.run([*git, "worktree", "add", "-q", "-b", "side", str(folder / "tree")], check=True)
            self.root = self.directory = folder / "tree"
        elif self.place == "link":
            self.directory = folder / "link"
            self.directory.symlink_to(self.root)

    def _mine(self) -> str:
        return f"user-{next(self.numbers)}"

    def _save(self, name: str, lines: list[str]) -> None:
        file = self.root / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(lines))

    def world(self) -> World:
        files = (file for file in self.root.rglob("*") if ".git" not in file.relative_to(self.root).parts)
        return {
            file.relative_to(self.root).as_posix(): (file.read_text(), file.stat().st_mode & 0o100)
            for file in files
            if file.is_file() and not file.name.startswith(".git")
        }

    # -- the agent -------------------------------------------------------------------------------------------------

    def play(self, session: oc.Session) -> None:
        self.session = session
        self.turns = [self._turn() for _ in range(self.data.draw(st.integers(1, 2), label="turns"))]
        for _ in range(self.data.draw(st.integers(0, 2), label="hands after")):
            self._hand()
        for act in self.data.draw(st.lists(st.sampled_from(ACTS), min_size=2, max_size=5), label="acts"):
            self._act(act)
        self._all_is_undone()

    def _turn(self) -> oc.Turn:
        # a batch of calls is prepared against the current files: an edit in between may make one fail
        calls = [self._call() for _ in range(self.data.draw(st.integers(1, 2), label="calls"))]
        hands = self.data.draw(st.integers(0, 1), label="hands meanwhile")
        before = self.data.draw(st.booleans(), label="before the calls")
        waiting = [text("Wait."), gate("hand")]
        self.model.reset()
        self.model.queue([[*waiting, *calls] if before else [*calls, *waiting], [text("Done.")]])
        spoke = threading.Event()
        unsubscribe = self.session.subscribe(lambda change: spoke.set() if change.kind == "delta" else None)
        patches = any(call.name == "apply_patch" for call in calls)
        turn = self.session.prompt("go", wait=False, model=f"demo/{PATCH_MODEL}" if patches else "demo/demo")
        assert spoke.wait(60)
        unsubscribe()
        for _ in range(hands):
            self._hand()
        self.model.release("hand")
        with contextlib.suppress(oc.TurnError):
            turn.wait(60)
        return turn

    def _call(self) -> Any:
        name = self.data.draw(st.sampled_from(NAMES), label="file")
        kind = self.data.draw(st.sampled_from(TOOLS), label="tool")
        file, content = self.root / name, f"agent {next(self.numbers)}\n"
        there = file.exists()
        if kind == "write" or (not there and kind in ("edit", "apply_patch")):
            return tool("write", filePath=str(file), content=content)
        if kind == "edit":
            return tool("edit", filePath=str(file), oldString="b\n", newString=content)
        if kind == "apply_patch" and "\n" not in name:
            patch = f"*** Begin Patch\n*** Update File: {file}\n@@\n-f\n+{content}*** End Patch"
            return tool("apply_patch", patchText=patch)
        quoted, other = shlex.quote(str(file)), shlex.quote(f"{file}.new")
        does = {"delete": f"rm -f {quoted}", "rename": f"mv {quoted} {other}"}
        self.by_command |= {name, f"{name}.new"}
        command = does.get(kind, f"mkdir -p {shlex.quote(str(file.parent))}; echo {content.strip()} >> {quoted}")
        return tool("bash", command=command, description="Does it")

    # -- the user --------------------------------------------------------------------------------------------------

    def _hand(self) -> None:
        name = self.data.draw(st.sampled_from(NAMES), label="by hand")
        kind = self.data.draw(st.sampled_from(HANDS), label="hand")
        file = self.root / name
        self.by_hand.add(name)
        if kind == "delete":
            file.unlink(missing_ok=True)
        elif kind == "chmod" and file.exists():
            file.chmod(0o755)
        elif kind == "edit" and file.exists():
            lines = file.read_text().splitlines(keepends=True)
            lines[len(lines) // 2 : len(lines) // 2] = [f"{self._mine()}\n"]
            file.write_text("".join(lines))
        else:
            self._save(name, [f"{self._mine()}\n", "a\n", "b\n", "c\n", "d\n"])

    # -- taking back -----------------------------------------------------------------------------------------------

    def _act(self, act: str) -> None:
        before, undone = self.world(), self.session._async.transcript.undone_turns
        report = self._attempt(act)
        self._nothing_is_lost(before, report)
        if isinstance(report, Undone) and report.undone and not report.differ and not undone:  # a redo redoes all
            self._comes_again(before)

    def _attempt(self, act: str) -> Undone | Outcome | None:
        turn = self.data.draw(st.sampled_from(self.turns), label="of turn")
        visible = self.session.turns()
        note(f"{act} {self.turns.index(turn)}")
        try:
            if act == "undo":
                return self.session.revert() if visible else None
            if act == "undo all":
                return self.session.revert(self.turns[0])
            if act == "redo":
                undone = self.session._async.transcript.undone_turns
                return self.session.unrevert() if undone else None
            diff = turn.diff()
            if "hunk" not in act:
                return diff.revert() if act == "revert" else diff.apply()
            hunks = [hunk for file in diff.files for hunk in file.hunks]
            if not hunks:
                return None
            hunk = self.data.draw(st.sampled_from(hunks), label="hunk")
            return hunk.revert() if act == "revert hunk" else hunk.apply()
        except oc.DiffConflictError as error:
            note(str(error))
            return None

    def _nothing_is_lost(self, before: World, report: Undone | Outcome | None) -> None:
        after = self.world()
        if report is None:
            assert after == before, "a refused act has changed files"
            return
        said = dict(report.copies)
        gone = {token for content, _ in before.values() for token in TOKEN.findall(content)}
        gone -= {token for content, _ in after.values() for token in TOKEN.findall(content)}
        kept = "".join(Path(place).read_text() for place in said.values())
        assert gone <= {*TOKEN.findall(kept)}, f"lost without a copy: {gone}"
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        assert changed <= self._of_agent(), "a file that is somebody else's was changed"
        for path in report.files if isinstance(report, Undone) else ():
            if path not in self.by_hand and isinstance(report, Undone) and len(report.undone) == len(self.turns):
                assert after.get(path) == self.start.get(path), f"{path} is not as the report says"

    def _of_agent(self) -> set[str]:
        found = set(self.by_command)
        for turn in self.turns:
            for file in turn.diff().files:
                found |= {file.file, file.old_file}
        return found

    def _comes_again(self, before: World) -> None:
        """Check that a redo right after an undo restores everything it removed."""
        assert self.session.unrevert().differ == ()
        assert self.world() == before

    def _all_is_undone(self) -> None:
        """Check that whatever only the agent changed ends up as before."""
        with contextlib.suppress(oc.DiffConflictError):
            self.session.revert(self.turns[0])
            unknown = self.by_hand | (self._unknown() if self.place != "repository" else set())
            unknown |= {"ignored.log", "ignored.log.new"} if self.by_command & {"ignored.log"} else set()
            after = self.world()
            for path in after.keys() | self.start.keys():
                if path not in unknown:
                    assert after.get(path) == self.start.get(path), f"{path} is not as it was before the agent"

    def _unknown(self) -> set[str]:
        """Return what commands changed where git records nothing, or not everything."""
        return self.by_command if self.place in ("no git", "sub-folder") else set()
