"""A turn's changes by the real server in real repositories: the patch equals git's, and a revert restores the bytes."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.changes import backups
from opencode_nb.changes.diff import Diff
from opencode_nb.demo import DemoModel, text, tool
from opencode_nb.diffs import notebook as notebooks
from opencode_nb.diffs.text import decode
from opencode_nb.server import Server

Files = dict[str, tuple[bytes, int]]


@pytest.fixture
def open_at(server: Server, demo_model: DemoModel) -> Iterator[Callable[[Path], oc.Session]]:
    opened: list[oc.Opencode] = []

    def open_session(directory: Path) -> oc.Session:
        ai = oc.Opencode(base_url=server.url, password=server.password, directory=directory, permission="allow")
        opened.append(ai)
        return ai.session()

    yield open_session
    for ai in opened:
        ai.close()


def git(directory: Path, *arguments: str) -> str:
    return decode(subprocess.run(["git", *arguments], cwd=directory, capture_output=True, check=True).stdout)


def commit(directory: Path) -> None:
    git(directory, "init", "-q")
    git(directory, "add", "-A")
    git(directory, "commit", "-qm", "before")


def files_of(directory: Path) -> Files:
    """Return every file except git's own: its content and permissions."""
    found = (file for file in directory.rglob("*") if ".git" not in file.relative_to(directory).parts)
    return {
        str(file.relative_to(directory)): (str(file.readlink()).encode(), 0)
        if file.is_symlink()
        else (file.read_bytes(), file.stat().st_mode)
        for file in found
        if file.is_symlink() or file.is_file()
    }


def plays(model: DemoModel, session: oc.Session, *calls: Any) -> oc.Turn:
    """Run one turn in which the model makes these calls."""
    model.queue([*([call] for call in calls), [text("Done.")]])
    return session.prompt("go")


def shell(command: str) -> Any:
    return tool("bash", command=command, description="change files")


def proves_itself(diff: Diff, directory: Path, before: Files, patch: str) -> None:
    """Check that the diff equals git's, and that all of it, and each file alone, is reverted and reapplied exactly."""
    assert diff.patch == patch
    after = files_of(directory)
    assert {file.state for file in diff.files} <= {"applied"}
    assert diff.revert().refused == ()
    assert files_of(directory) == before
    assert {file.state for file in diff.files} <= {"reverted"}
    assert diff.apply().refused == ()
    assert files_of(directory) == after
    for file in sorted(diff.files, key=lambda file: file.status != "added"):  # a folder's files make way
        assert set(file.revert().done) == {file.file}
        assert file.revert().done == ()
    assert files_of(directory) == before


CELL = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "source": ["x = 1\n"], "execution_count": 1}


def notebook(*sources: str, nbformat: int = 4, **ran: Any) -> str:
    cells = [{**CELL, "id": source[:8], "source": [source], **ran} for source in sources]
    found = {"cells": cells} if nbformat == 4 else {"worksheets": [{"cells": cells}]}
    return json.dumps({**found, "metadata": {}, "nbformat": nbformat, "nbformat_minor": 5}, indent=1)


OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["3\n"]}
NOTEBOOKS = {  # per notebook: each cell's status and its indices before and after; None if it is not a notebook
    "cells.ipynb": (
        notebook("a", "b", "c"), notebook("c", "a", "d"),
        [("moved", 2, 0), ("same", 0, 1), ("added", None, 2), ("removed", 1, None)],
    ),
    "ran.ipynb": (notebook("a"), notebook("a", outputs=[OUTPUT], execution_count=2), [("same", 0, 0)]),
    "gone.ipynb": (notebook("a"), None, [("removed", 0, None)]),
    "new.ipynb": (None, notebook("x = 1\n" * 200), [("added", None, 0)]),
    "old.ipynb": (notebook("a", nbformat=3), notebook("b", nbformat=3), None),
    "broken.ipynb": ('{"cells": [', '{"cells": [1', None),
}  # fmt: skip


def notebooks_of(directory: Path, which: int) -> None:
    directory.mkdir(exist_ok=True)
    for name, versions in NOTEBOOKS.items():
        if (text := versions[which]) is not None:
            (directory / name).write_text(str(text))


def cells_of(file: oc.FileDiff) -> list[tuple[str, int | None, int | None]] | None:
    try:
        cells = notebooks.compare(file.before, file.after).cells
    except ValueError:
        return None
    return [(cell.status, cell.old_index, cell.new_index) for cell in cells]


CONTENTS = {
    "crlf.txt": b"a\r\nb\r\nc\r\n", "no newline.txt": b"x\ny", "bin.dat": b"\0\1\2", "latin.txt": b"caf\xe9\nb\n",
    "utf16.txt": "hé\nb\n".encode("utf-16"), "old.py": b"".join(b"line %d\n" % i for i in range(30)),
    "run.sh": b"echo\n",
    "with blank.txt": b"a\n", 'q"uo\nte.txt': b"a\n", "tab\there.txt": b"a\n", "ünï.txt": b"a\n", "gone.txt": b"g\n",
    "empty.txt": b"", "nested/deep/x.txt": b"deep\n", "image.png": b"\x89PNG\r\n\x1a\n\0\0", "a.ipynb": b"",
    "cells.ipynb": b"", "ran.ipynb": b"", "gone.ipynb": b"", "old.ipynb": b"", "broken.ipynb": b'{"cells": [',
    "long.txt": b"".join(b"line %d\n" % i for i in range(100_000)), "folder": b"becomes one\n", "same.txt": b"s\n",
    ".gitignore": b"ignored.txt\n", "ignored.txt": b"i\n",
}  # fmt: skip
SCRIPT = r"""
printf 'a\r\nB\r\nc\r\n' > crlf.txt; printf 'x\nz' > 'no newline.txt'; printf '\0\1\3' > bin.dat
printf 'caf\351\nB\n' > latin.txt; printf '\377\376h\0\n\0' > utf16.txt; mv old.py 'new name.py'
sed -i 's/line.3$/LINE/' 'new name.py'; chmod +x run.sh; echo b >> 'with blank.txt'
echo b >> "$(printf 'q"uo\nte.txt')"; echo b >> "$(printf 'tab\there.txt')"; echo b >> ünï.txt; rm gone.txt
echo e > empty.txt; : > 'new empty.txt'; rm -r nested; printf '\211PNG\r\n\032\n\0\1' > image.png
sed -i '500s/.*/changed/; 99000d' long.txt; rm folder; mkdir folder; echo in > folder/file.txt; ln -sfn same.txt link
rm gone.ipynb; cp ../later/*.ipynb .
sed -i 's/x = 1/x = 2/' a.ipynb; echo i >> ignored.txt; ln -s nowhere dangling; printf 'x\n' > -dash.txt
"""


def corpus(directory: Path) -> None:
    directory.mkdir()
    for name, content in CONTENTS.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (directory / "a.ipynb").write_text(notebook("x = 1\n"))
    notebooks_of(directory, 0)
    notebooks_of(directory.parent / "later", 1)
    (directory / "link").symlink_to("crlf.txt")


def git_says(directory: Path) -> str:
    git(directory, "add", "-AN")
    said = git(directory, "diff", "HEAD")
    git(directory, "reset", "-q")
    return said


def test_the_corpus_is_diffed_as_by_git_and_reverted_exactly(
    open_at: Callable[[Path], oc.Session], demo_model: DemoModel, tmp_path: Path
) -> None:
    root = tmp_path / "project"
    corpus(root)
    commit(root)
    before = files_of(root)
    session = open_at(root)
    turn = plays(demo_model, session, shell(SCRIPT))
    (root / "ignored.txt").write_bytes(before["ignored.txt"][0])  # not recorded anywhere: `source` says so
    assert session.owner.diff("git").patch == git_says(root)
    diff = turn.diff()
    assert "ignored files" in diff.source
    statuses = {file.file: file.status for file in diff.files}
    assert statuses["new name.py"] == "renamed"
    assert diff["new name.py"].old_file == "old.py"
    assert statuses["gone.txt"] == "deleted"
    assert (diff["run.sh"].old_mode, diff["run.sh"].new_mode) == ("100644", "100755")
    assert diff["utf16.txt"].binary
    assert diff["image.png"].after == b"\x89PNG\r\n\x1a\n\0\1"
    assert (diff["long.txt"].additions, diff["long.txt"].deletions, len(diff["long.txt"].hunks)) == (1, 2, 2)
    for name, (*_, cells) in NOTEBOOKS.items():
        assert cells_of(diff[name]) == cells
    assert session.diff().patch == diff.patch
    patch = git_says(root)
    the_servers_patches_do_where_its_snapshots_are_elsewhere(session, root, diff)
    proves_itself(diff, root, before, patch)
    assert backups.folder().stat().st_mode & 0o077 == 0


def the_servers_patches_do_where_its_snapshots_are_elsewhere(session: oc.Session, root: Path, exact: Diff) -> None:
    """Patches that lost bytes are shown as far as possible and refused; the rest is reverted and reapplied."""
    after = files_of(root)
    elsewhere = oc.AsyncOpencode(
        base_url=str(session.owner.client.base_url),
        password=open_password(session),
        directory=root,
        env={"XDG_DATA_HOME": str(root / "nowhere")},
    )

    async def diff_there() -> Diff:
        async with elsewhere as ai:
            return await (await ai.session(id=session.id)).diff()

    diff = asyncio.run(diff_there())
    assert "its snapshots are not on this machine" in diff.source
    lossy = {"latin.txt", "utf16.txt", "bin.dat", "image.png", 'q"uo\nte.txt', "tab\there.txt"}
    assert {file.file for file in diff.files if file.unknown} >= lossy
    assert diff["crlf.txt"].patch == exact["crlf.txt"].patch
    assert diff["no newline.txt"].patch == exact["no newline.txt"].patch
    refused = {path for path, _ in diff.revert().refused}
    assert lossy <= refused
    assert "session.revert" in diff["bin.dat"].reason
    assert (root / "crlf.txt").read_bytes() == CONTENTS["crlf.txt"]
    assert (root / "old.py").read_bytes() == CONTENTS["old.py"]
    diff.apply()
    assert files_of(root) == after


def test_a_folder_without_commits_and_with_nested_repositories_is_diffed(
    open_at: Callable[[Path], oc.Session], demo_model: DemoModel, tmp_path: Path
) -> None:
    for name in ("fresh", "inner", "outer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("a\n")
    commit(tmp_path / "inner")
    outer, fresh = tmp_path / "outer", tmp_path / "fresh"
    (outer / "part").mkdir()
    (outer / "part" / "b.txt").write_text("b\n")
    commit(outer)
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "inner"), "part/module")
    git(outer, "commit", "-qm", "module")
    git(fresh, "init", "-q")

    git(tmp_path, "clone", "-q", "inner", "fresh/inside")
    before = files_of(fresh)
    session = open_at(fresh)
    turn = plays(demo_model, session, shell("echo b >> a.txt; echo n > new.txt; echo b >> inside/a.txt"))
    assert "nested repositories" in turn.diff().source
    assert "nested repositories" in session.owner.diff("git").source
    assert [file.file for file in session.owner.diff("git").files] == ["a.txt", "new.txt"]
    (fresh / "inside" / "a.txt").write_text("a\n")
    git(fresh, "add", "-A")
    now = git(fresh, "ls-files", "-s")
    assert [(file.status, file.file) for file in turn.diff().files] == [("modified", "a.txt"), ("added", "new.txt")]
    proves_itself(turn.diff(), fresh, before, turn.diff().patch)
    assert now.count("\n") == 3

    before = files_of(outer)
    command = "echo c >> b.txt; echo d > ünï.txt; cd module; echo x >> a.txt; git commit -qam inside"
    turn = plays(demo_model, open_at(outer / "part"), shell(command))
    diff = turn.diff()
    assert "a part of its repository" in diff.source
    assert diff.patch == git_says(outer)
    module = diff["part/module"]
    assert "+Subproject commit" in module.patch
    with pytest.raises(oc.DiffConflictError, match="git submodule update"):
        module.revert()
    assert diff.revert().refused[0][0] == "part/module"
    git(outer, "submodule", "update", "-q")
    assert files_of(outer) == before


def test_line_endings_converted_by_git_are_those_on_disk(
    open_at: Callable[[Path], oc.Session], demo_model: DemoModel, tmp_path: Path
) -> None:
    root = tmp_path / "attributes"
    root.mkdir()
    (root / ".gitattributes").write_text("* text=auto\n*.bat eol=crlf\n")
    for name, content in {"a.txt": b"a\r\nb\r\n", "b.bat": b"a\r\nb\r\n", "c.txt": b"a\nb\n"}.items():
        (root / name).write_bytes(content)
    commit(root)
    before = files_of(root)
    command = r"printf 'c\r\n' >> a.txt; printf 'c\r\n' >> b.bat; sed -i s/b/B/ c.txt"
    diff = plays(demo_model, open_at(root), shell(command)).diff()
    assert diff["a.txt"].after == b"a\r\nb\r\nc\r\n"
    proves_itself(diff, root, before, diff.patch)


def test_outside_git_a_diff_uses_the_tools_reports_and_the_disk(
    open_at: Callable[[Path], oc.Session], demo_model: DemoModel, tmp_path: Path
) -> None:
    root = tmp_path / "plain"
    root.mkdir()
    contents = {"a.py": b"def f():\r\n    return 1\r\n", "w.txt": b"old\xff\n", "x y.txt": b"1\n2\n3"}
    for name, content in contents.items():
        (root / name).write_bytes(content)
    before = files_of(root)
    session = open_at(root)
    first = plays(
        demo_model,
        session,
        tool("read", filePath=str(root / "a.py")),
        tool("edit", filePath=str(root / "a.py"), oldString="return 1", newString="return 2"),
        tool("read", filePath=str(root / "w.txt")),
        tool("write", filePath=str(root / "w.txt"), content="new\n"),
        tool("write", filePath=str(root / "sub" / "n.txt"), content="n\n"),
        shell("echo b >> 'x y.txt'"),
    )
    diff = first.diff()
    assert "what commands changed is not included" in diff.source
    assert [(file.status, file.file) for file in diff.files] == [
        ("modified", "a.py"), ("added", "sub/n.txt"), ("modified", "w.txt"),
    ]  # fmt: skip
    assert {file.file: file.before for file in diff.files} == {
        "a.py": contents["a.py"], "w.txt": contents["w.txt"], "sub/n.txt": None,
    }  # fmt: skip
    assert diff["a.py"].after == (root / "a.py").read_bytes()
    plays(demo_model, session, tool("write", filePath=str(root / "sub" / "n.txt"), content="n\nm\n"))
    assert [file.after for file in session.diff().files if file.file == "sub/n.txt"] == [b"n\nm\n"]
    (root / "x y.txt").write_bytes(contents["x y.txt"])

    ai = oc.Opencode(  # another kernel: it still knows what files were before
        base_url=str(session.owner.client.base_url), password=open_password(session), directory=root
    )
    with ai:
        again = ai.session(id=session.id).diff()
        proves_itself(again, root, before, session.diff().patch)


def open_password(session: oc.Session) -> str:
    joined = session.owner._async.password
    assert joined is not None
    return str(joined)


def test_a_file_changed_since_is_not_overwritten(
    open_at: Callable[[Path], oc.Session], demo_model: DemoModel, tmp_path: Path
) -> None:
    root = tmp_path / "shared"
    root.mkdir()
    file = root / "f.txt"
    original = "".join(f"{i}\n" for i in range(40))
    file.write_text(original)
    commit(root)
    one, other = open_at(root), open_at(root)
    first = plays(demo_model, one, shell("sed -i 's/^3$/three/; s/^20$/twenty/' f.txt")).diff()
    second = plays(demo_model, other, shell("sed -i 's/^30$/thirty/' f.txt")).diff()
    assert one.diff()["f.txt"].state == first["f.txt"].state == "changed since"
    for refusing in (first.revert, first["f.txt"].revert, one.diff().revert):
        now = file.read_bytes()
        with pytest.raises(oc.DiffConflictError, match=r"changed since by someone else.*hunks"):
            refusing()
        assert file.read_bytes() == now
    near, far = first["f.txt"].hunks
    assert near.revert().done == ("f.txt",)  # its own lines are unchanged; the others' are kept
    assert "3\n4\n" in file.read_text()
    assert "thirty\n" in file.read_text()
    assert (near.reverted, far.reverted) == (True, False)
    file.write_text(file.read_text().replace("19\n", "mine\n"))
    now = file.read_bytes()
    with pytest.raises(oc.DiffConflictError, match="these lines"):
        far.revert()
    with pytest.raises(oc.DiffConflictError):
        second["f.txt"].revert()
    assert file.read_bytes() == now
    file.write_bytes(now.replace(b"mine\n", b"19\n"))
    assert [near.apply().done, second.revert().done, first.revert().done] == [("f.txt",)] * 3
    assert file.read_text() == original

    file.unlink()
    with pytest.raises(oc.DiffConflictError, match="deleted since"):
        first["f.txt"].apply()
    file.mkdir()
    (file / "x").touch()
    assert first["f.txt"].reason.startswith("a folder is there")
    (file / "x").unlink()
    file.rmdir()
    file.symlink_to("/etc/hostname")
    with pytest.raises(oc.DiffConflictError):
        first["f.txt"].revert()


@pytest.mark.parametrize("order", list(itertools.permutations(["one", "other", "user"])), ids="-".join)
def test_two_sessions_and_the_user_lose_no_line_in_any_order(
    open_at: Callable[[Path], oc.Session], demo_model: DemoModel, tmp_path: Path, order: tuple[str, ...]
) -> None:
    """Each changes a line of its own and a common one. Only the last one can revert everything; nobody loses a line."""
    file = tmp_path / "shared" / "f.txt"
    file.parent.mkdir()
    file.write_text("".join(f"{i}\n" for i in range(40)))
    commit(file.parent)
    lines = {"one": 2, "other": 20, "user": 30}
    sessions = {name: open_at(file.parent) for name in ("one", "other")}
    diffs: dict[str, list[Diff]] = {}
    for name in order:
        edit = rf"sed -i 's/^{lines[name]}$/{name}/; s/^10.*/&{name}/' f.txt"
        if name == "user":
            subprocess.run(edit, shell=True, cwd=file.parent, check=True)
        else:
            turn = plays(demo_model, sessions[name], shell(edit))
            diffs[name] = [turn.diff(), sessions[name].diff()]

    def others_lines(name: str) -> dict[int, str]:
        now = file.read_text().splitlines()
        return {at: now[at] for other, at in lines.items() if other != name}

    for name, (turn_diff, session_diff) in diffs.items():
        kept_lines, now = others_lines(name), file.read_bytes()
        for diff in (session_diff, turn_diff):
            assert diff["f.txt"].state == ("applied" if name == order[-1] else "changed since")
            for act in (diff.revert, diff["f.txt"].revert, diff["f.txt"].apply):
                if name != order[-1]:
                    with pytest.raises(oc.DiffConflictError, match="changed since by someone else"):
                        act()
                    assert file.read_bytes() == now
        own, *common = sorted(turn_diff["f.txt"].hunks, key=lambda hunk: f"+{name}\n" not in hunk.patch)
        assert own.revert().done == ("f.txt",)
        assert file.read_text().splitlines()[lines[name]] == str(lines[name])
        assert others_lines(name) == kept_lines
        for hunk in common:
            if name != order[-1]:
                with pytest.raises(oc.DiffConflictError, match="these lines"):
                    hunk.revert()
        assert own.apply().done == ("f.txt",)
        assert file.read_bytes() == now


def test_after_random_turns_and_reverts_files_match_the_diffs(
    open_at: Callable[[Path], oc.Session], demo_model: DemoModel, tmp_path: Path
) -> None:
    """The files always match the diffs, and reverting everything restores the original, in any order."""
    for seed in range(2):
        chance = random.Random(seed)
        root = tmp_path / f"random{seed}"
        root.mkdir()
        for name in ("a", "b"):
            (root / name).write_text("".join(f"{name}{i % 9}\n" for i in range(chance.randint(0, 60))))
        commit(root)
        before = files_of(root)
        session = open_at(root)
        turns = []
        for _ in range(3):
            turns.append(plays(demo_model, session, *(random_edit(chance, root) for _ in range(2))))
            for _ in range(4):
                look = chance.choice([turns[-1].diff, session.diff, chance.choice(turns).diff])
                random_act(chance, look(), root)
        diff = session.diff()
        if diff.files:
            assert diff.revert().refused == ()
        assert files_of(root) == before


def random_edit(chance: random.Random, root: Path) -> Any:
    name = chance.choice(["a", "b", "c"])
    old = (root / name).read_text().splitlines(keepends=True) if (root / name).exists() else []
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(old))
        old[at : at + chance.randint(0, 3)] = [f"{chance.choice('xyz')}\n" for _ in range(chance.randint(0, 3))]
    if chance.random() < 0.15:
        return shell(f"rm -f {name}")
    return shell(f"printf '%s' '{''.join(old)}' > {name}")


def random_act(chance: random.Random, diff: Diff, root: Path) -> None:
    pieces = [*diff.files, *(hunk for file in diff.files for hunk in file.hunks)]
    if not pieces:
        return
    piece, act = chance.choice(pieces), chance.choice(["revert", "revert", "apply"])
    now = files_of(root)
    try:
        getattr(piece, act)()
    except oc.DiffConflictError:
        assert files_of(root) == now
        return
    if isinstance(piece, oc.FileDiff):
        assert piece.state == ("reverted" if act == "revert" else "applied")
        there = {path: content for path, (content, _) in files_of(root).items()}
        assert there.get(piece.file) == (piece.before if act == "revert" and not piece.old_file else piece.after) or (
            piece.old_file and act == "revert"
        )
    else:
        assert piece.reverted is (act == "revert")


def test_reverting_the_last_turn_undoes_it_in_the_conversation(
    open_at: Callable[[Path], oc.Session], demo_model: DemoModel, tmp_path: Path
) -> None:
    """The server's own undo loses renamed files, and its redo overwrites the whole work tree: ours must not."""
    root = tmp_path / "undo"
    root.mkdir()
    for name in ("old.py", "a.txt", "mine.txt"):
        (root / name).write_text("".join(f"{name} {i}\n" for i in range(20)))
    commit(root)
    before = files_of(root)
    session = open_at(root)
    plays(demo_model, session, shell("echo first >> a.txt"))
    middle = files_of(root)
    turn = plays(demo_model, session, shell("mv old.py new.py; echo x >> new.py; echo y >> a.txt"))
    after = files_of(root)
    diff = turn.diff()
    assert set(diff.revert().done) == {"new.py", "a.txt"}
    assert files_of(root) == middle
    assert [kept_turn.id for kept_turn in session.turns()] != []
    assert turn.id not in [kept_turn.id for kept_turn in session.turns()]
    assert set(diff.apply().done) == {"new.py", "a.txt"}
    assert files_of(root) == after
    assert session.turns()[-1].id == turn.id

    diff.revert()
    (root / "mine.txt").write_text("mine\n")
    assert set(diff.apply().done) == {"new.py", "a.txt"}
    assert (root / "mine.txt").read_text() == "mine\n"
    (root / "mine.txt").write_bytes(before["mine.txt"][0])
    assert files_of(root) == after

    (first, _) = [*session._async.transcript.turns][:2]
    earlier = session._async.turn_for(session._async.transcript.turns[first])
    with pytest.raises(oc.DiffConflictError, match="another turn"):
        earlier.diff().revert()
    assert files_of(root) == after
