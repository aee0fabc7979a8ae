"""Reverts of real files: obstacles, backups, and what is never touched."""

from __future__ import annotations

import os
import random
import resource
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opencode_nb.changes import backups
from opencode_nb.changes.diff import Diff, FileDiff
from opencode_nb.changes.ledger import Own
from opencode_nb.diffs.change import EXECUTABLE, LINK, Change, Side, known
from opencode_nb.diffs.compose import compose
from opencode_nb.errors import DiffConflictError

BEFORE, AFTER = b"1\n2\n3\n", b"1\ntwo\n3\n"


def diff_of(root: Path, *changes: Change) -> Diff:
    return Diff(changes, root, "a test")


def modified(path: str = "f") -> Change:
    return Change(path, known(BEFORE), known(AFTER))


def test_permissions_except_the_executable_bit_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(AFTER)
    file.chmod(0o640)
    diff_of(tmp_path, modified()).revert()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    diff = diff_of(tmp_path, Change("f", known(BEFORE, EXECUTABLE), known(BEFORE)))
    diff.revert()
    assert stat.S_IMODE(file.stat().st_mode) == 0o750
    diff.apply()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_links_are_replaced_and_never_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "f").write_bytes(AFTER)
    (root / "f").symlink_to(outside / "f")
    (root / "folder").symlink_to(outside)
    for path in ("f", "folder/f", "../outside/f"):
        file = diff_of(root, modified(path)).files[0]
        assert file.state == "changed since"
        with pytest.raises(DiffConflictError):
            file.revert()
    assert (outside / "f").read_bytes() == AFTER
    link = diff_of(root, Change("f", known(b"nowhere", LINK), known(os.fsencode(outside / "f"), LINK))).files[0]
    assert link.revert().done == ("f",)
    assert (root / "f").readlink() == Path("nowhere")
    replaced = diff_of(root, Change("f", known(BEFORE), known(b"nowhere", LINK))).files[0]
    assert replaced.patch.count("diff --git") == 2
    replaced.revert()
    assert (root / "f").read_bytes() == BEFORE
    assert not (root / "f").is_symlink()


def test_overwritten_files_are_backed_up(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(AFTER + b"kept once\n")
    diff_of(tmp_path, Change("f", known(BEFORE), known(AFTER + b"kept once\n"))).revert()
    contents = [file.read_bytes() for file in backups.folder().iterdir() if file.is_file()]
    assert AFTER + b"kept once\n" in contents


@contextmanager
def nothing_more_fits() -> Iterator[None]:
    """Simulate a full disk: no file may exceed one byte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    now = AFTER + random.Random(3).randbytes(30).hex().encode()  # not backed up before
    (tmp_path / "f").write_bytes(now)
    diff = diff_of(tmp_path, Change("f", known(BEFORE), known(now)))
    with nothing_more_fits(), pytest.raises(DiffConflictError, match="could not be written: File too large"):
        diff.revert()
    assert (tmp_path / "f").read_bytes() == now
    assert [file.name for file in tmp_path.iterdir()] == ["f"]
    backups.keep(now)
    with nothing_more_fits(), pytest.raises(DiffConflictError, match="could not be written"):
        diff.revert()
    assert (tmp_path / "f").read_bytes() == now
    assert [file.name for file in tmp_path.iterdir()] == ["f"]
    assert diff.revert().done == ("f",)


def test_backups_are_bounded_except_those_of_the_last_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ages = {days: backups.keep(f"{days} days old".encode()) for days in (0, 2, 20, 40)}
    for days, file in ages.items():
        os.utime(file, (time.time() - days * 24 * 3600 - 60,) * 2)
    backups._forget_old.cache_clear()
    backups.keep(b"new")
    assert [days for days, file in ages.items() if file.exists()] == [0, 2, 20]
    monkeypatch.setattr(backups, "MAX_BYTES", 20)
    backups._forget_old.cache_clear()
    backups.keep(b"newer")
    assert [days for days, file in ages.items() if file.exists()] == [0]


def test_a_half_written_backup_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    backups.keep(b"")
    with nothing_more_fits(), pytest.raises(OSError, match="File too large"):
        backups.keep(b"more than fits")
    assert [file.stat().st_size for file in backups.folder().iterdir()] == [0]


def test_a_partial_revert_names_the_refused_files(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(AFTER)
    (tmp_path / "g").write_bytes(b"mine\n")
    diff = diff_of(tmp_path, modified("f"), modified("g"), Change("new/deep", None, known(b"x")))
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "deep").write_bytes(b"x")
    outcome = diff.revert()
    assert set(outcome.done) == {"f", "new/deep"}
    assert [path for path, _ in outcome.refused] == ["g"]
    assert (tmp_path / "g").read_bytes() == b"mine\n"
    assert diff["f"].state == diff["new/deep"].state == "reverted"
    with pytest.raises(KeyError, match="new/deep"):
        diff["none"]
    with pytest.raises(DiffConflictError, match=r"g: it was changed since"):
        diff.revert()


def test_hunks_of_a_tools_patch_are_reverted_at_their_exact_lines(tmp_path: Path) -> None:
    patch = "--- f\n+++ f\n@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n"
    diff = diff_of(tmp_path, Change("f", patch=patch, unknown="nobody has it"))
    (tmp_path / "f").write_bytes(AFTER)
    assert (diff["f"].state, diff["f"].before, diff["f"].hunks[0].reverted) == ("applied", None, False)
    assert diff["f"].hunks[0].revert().done == ("f",)
    assert (tmp_path / "f").read_bytes() == BEFORE
    assert (diff["f"].state, diff["f"].hunks[0].reverted) == ("reverted", True)
    diff.apply()
    (tmp_path / "f").write_bytes(b"above\n" + AFTER)
    assert diff["f"].reason == "nobody has it"
    with pytest.raises(DiffConflictError):
        diff["f"].hunks[0].revert()


def test_reverts_are_known_after_a_restart_and_private(tmp_path: Path) -> None:
    """A reverted hunk, then a turn that touches the same place: before and after must not mix."""
    texts = [b"1\n2\n3\n", b"1\ntwo\n3\n", b"1\n2\n3\n", b"1\n2 and a half\n3\n"]
    turns = [[Change("f", known(texts[at]), known(texts[at + 1]))] for at in (0, 2)]
    session = f"ses_{tmp_path.name}"
    (tmp_path / "f").write_bytes(texts[1])
    Diff(turns[0], tmp_path, "a test", Own(session)).files[0].hunks[0].revert()
    (tmp_path / "f").write_bytes(texts[3])
    later = Own(session)
    later.learn(turns)
    diff = Diff(compose(turns, later.has), tmp_path, "a test", later)
    assert diff.revert().done == ("f",)
    assert (tmp_path / "f").read_bytes() == texts[0]
    notes = [file for file in backups.folder().iterdir() if file.name.startswith(session)]
    assert [stat.S_IMODE(file.stat().st_mode) for file in notes] == [0o600]
    notes[0].write_bytes(notes[0].read_bytes() + b'["f", "10')  # half written by a killed kernel
    assert Own(session).has("f", known(texts[0]))


@pytest.mark.not_quick
def test_many_hunks_of_a_large_changed_file_are_checked_together(tmp_path: Path) -> None:
    lines = [f"line {i} {i % 7}\n" for i in range(100_000)]
    after = [line.replace("line", "row") if i % 1000 == 500 else line for i, line in enumerate(lines)]
    now = [*after[:50_000], "mine\n", *after[50_000:99_500], "mine\n", *after[99_501:]]
    (tmp_path / "f").write_text("".join(now))
    sides = (known("".join(text).encode()) for text in (lines, after))
    (file,) = diff_of(tmp_path, Change("f", *sides)).files
    assert len(file.hunks) == 100
    start = time.process_time()
    assert file.reverted == (*[False] * 99, None)
    assert time.process_time() - start < 3  # seconds; 0.3, against 30 for one hunk at a time
    file.hunks[7].revert()
    assert (file.hunks[7].reverted, file.reverted.count(True)) == (True, 1)


@pytest.mark.not_quick
def test_any_history_of_reverts_and_redos_can_be_reverted(tmp_path: Path) -> None:
    """Hundreds of short histories: turns, and in between reverts and redos of hunks, files, turns and everything.

    Sometimes the kernel restarts.
    """
    for seed in range(250):
        History(random.Random(seed), tmp_path / f"{seed}").play()


class History:
    """A file's history in one session: `turns` are its changes so far."""

    def __init__(self, chance: random.Random, root: Path) -> None:
        self.chance, self.root = chance, root
        self.turns: list[list[Change]] = []
        root.mkdir()
        self.restart()

    def restart(self) -> None:
        """Start a new kernel: it knows only the notes of the old one."""
        self.own = Own(f"ses_{self.root.parent.name}_{self.root.name}")

    @property
    def now(self) -> bytes | None:
        file = self.root / "f"
        return file.read_bytes() if file.exists() else None

    def play(self) -> None:
        if self.chance.random() < 0.9:
            self.write([f"{i}\n".encode() for i in range(self.chance.randint(0, 50))])
        original = self.now
        for _ in range(self.chance.randint(1, 4)):
            self.turn()
            for _ in range(self.chance.randint(0, 3)):
                self.act()
            if self.chance.random() < 0.3:
                self.restart()
        diff = self.session()
        diff.revert()
        assert self.now == original
        if diff.files:
            diff.apply()
            assert self.now == diff.files[0].after

    def write(self, lines: list[bytes]) -> None:
        (self.root / "f").write_bytes(b"".join(lines))

    def turn(self) -> None:
        before = self.now
        lines = (before or b"").splitlines(keepends=True)
        for _ in range(self.chance.randint(1, 4)):
            at = self.chance.randint(0, len(lines))
            lines[at : at + self.chance.randint(0, 3)] = [
                self.chance.choice([b"x\n", b"\n", b"y%d\n" % at]) for _ in range(self.chance.randint(0, 3))
            ]
        if self.chance.random() < 0.06:
            (self.root / "f").unlink(missing_ok=True)
        else:
            self.write(lines)
        if self.now != before:
            self.turns.append([Change("f", side(before), side(self.now))])

    def session(self) -> Diff:
        self.own.learn(self.turns)
        return Diff(compose(self.turns, self.own.has), self.root, "a test", self.own)

    def act(self) -> None:
        whole = self.chance.random() < 0.5 or not self.turns
        self.own.learn_from(lambda: self.turns)
        diff = self.session() if whole else Diff(self.chance.choice(self.turns), self.root, "a test", self.own)
        pieces = [*diff.files, *(hunk for file in diff.files for hunk in file.hunks)]
        if not pieces:
            return
        piece, back = self.chance.choice(pieces), self.chance.random() < 0.6
        now = self.now
        try:
            piece.revert() if back else piece.apply()
        except DiffConflictError:
            assert self.now == now
        else:
            self.says_so(piece, back)

    def says_so(self, piece: object, back: bool) -> None:
        """Check that the files match what the diff says."""
        if isinstance(piece, FileDiff):
            assert piece.state == ("reverted" if back else "applied")
            assert self.now == (piece.before if back else piece.after)
        else:
            assert piece.reverted is back  # type: ignore[attr-defined]


def side(data: bytes | None) -> Side | None:
    return None if data is None else known(data)
