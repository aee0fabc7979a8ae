"""Run the `git` program, and read its trees and blobs. Blocking; run it off the event loop."""

from __future__ import annotations

import os
import subprocess
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from opencode_nb.diffs.change import LINK, SUBMODULE, Change, Side, known
from opencode_nb.diffs.text import decode, encode
from opencode_nb.errors import OpencodeError

TIMEOUT = 60.0
"""Maximum seconds per run of git. Scanning a large work tree on a slow disk takes a few."""

_CACHED_BYTES = 32 * 1024 * 1024
_FETCHED_BYTES = 1024 * 1024
_FETCHED = 32
_NAMED = 100
"""Maximum paths passed to git; for more, it lists everything."""

_NOTHING = "0" * 40
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The id of the empty tree, which every git knows."""


class GitError(OpencodeError):
    """`git` is missing or failed; the message has git's output."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A git directory and the work tree that its paths are relative to. `index` is used instead of its own."""

    git_dir: Path
    worktree: Path
    index: Path | None = None

    def run(self, *arguments: str, stdin: bytes = b"", allowed: Sequence[int] = (0,)) -> bytes:
        """Return git's output. Raises GitError."""
        where = ("--git-dir", str(self.git_dir), "--work-tree", str(self.worktree))
        return _run(self.worktree, *where, *arguments, stdin=stdin, allowed=allowed, index=self.index)

    def has(self, *trees: str) -> bool:
        """Return whether the repository has all of these objects."""
        try:
            said = self.run("cat-file", "--batch-check", stdin="".join(f"{tree}\n" for tree in trees).encode())
        except GitError:
            return False
        return not any(line.endswith(b" missing") for line in said.splitlines())

    def ignored(self, paths: Iterable[str]) -> set[str]:
        """Return the paths that the ignore rules match, tracked or not. Skips paths beyond a link."""
        root = os.path.realpath(self.worktree)
        asked = [path for path in paths if _is_below(root, path)]
        if not asked:
            return set()
        said = self.run("check-ignore", "--no-index", "--stdin", "-z", stdin=_nul(asked), allowed=(0, 1))
        return set(_fields(said))

    def ignored_files(self) -> list[str]:
        """Return the ignored files in the work tree; a folder ignored as a whole ends with "/"."""
        return _fields(self.run("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"))

    def filtered(self, paths: Sequence[str]) -> set[str]:
        """Return the paths whose bytes .gitattributes may change on disk: line endings, LFS, encodings."""
        names = ("text", "eol", "crlf", "filter", "ident", "working-tree-encoding")
        said = _fields(self.run("check-attr", "--stdin", "-z", *names, stdin=_nul(paths))) if paths else []
        triples = zip(said[::3], said[1::3], said[2::3], strict=True)
        return {path for path, _, value in triples if value not in ("unspecified", "unset")}


def discover(directory: Path) -> Repository:
    """Return the repository that contains a directory. Raises GitError."""
    said = decode(_run(directory, "rev-parse", "--absolute-git-dir", "--show-toplevel"))
    git_dir, _, worktree = said.rstrip("\n").partition("\n")
    return Repository(Path(git_dir), Path(worktree))


def head(directory: Path) -> str:
    """Return the id of the last commit of the repository that contains a directory. Raises GitError."""
    return decode(_run(directory, "rev-parse", "HEAD")).strip()


def _run(
    directory: Path,
    *arguments: str,
    stdin: bytes = b"",
    allowed: Sequence[int] = (0,),
    index: Path | None = None,
) -> bytes:
    env = None if index is None else {**os.environ, "GIT_INDEX_FILE": str(index)}
    try:
        done = subprocess.run(
            ["git", *arguments], input=stdin, capture_output=True, timeout=TIMEOUT, cwd=directory, env=env
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(f"git could not be run: {error}. Is it installed?") from error
    if done.returncode not in allowed:
        raise GitError(f"git failed in {directory}: {decode(done.stderr).strip() or done.returncode}")
    return done.stdout


def _is_below(root: str, path: str) -> bool:
    """Return whether a path's folders are real folders of the work tree: git fails on a path beyond a link."""
    folder = os.path.dirname(os.path.join(root, path))  # noqa: PTH118, PTH120  # Path is slow, and there may be many
    return os.path.realpath(folder) == os.path.normpath(folder)


def _nul(paths: Sequence[str]) -> bytes:
    return b"".join(encode(path) + b"\0" for path in paths)


def _fields(output: bytes) -> list[str]:
    return decode(output).split("\0")[:-1]


Entry = tuple[str, str, str, str, str]
"""Path, mode before and after, id before and after; zeros for a side that is missing (or only on disk)."""


def between(repository: Repository, before: str, after: str) -> list[Change]:
    """Return what changed between two trees, or with "" between a tree and the index.

    Leaves out files that are ignored now and still exist: the server's snapshots merely dropped them.
    """
    said = _said(repository, *(("diff-tree", "-r", before, after) if after else ("diff-index", "--cached", before)))
    gone = [entry[0] for entry in said.entries if entry[2] == "000000" and _exists(repository.worktree / entry[0])]
    dropped = repository.ignored(gone)
    blobs = Blobs(repository, said.entries)
    return [_change(blobs, said, entry) for entry in said.entries if entry[0] not in dropped]


def _exists(place: Path) -> bool:
    return place.is_file() or place.is_symlink()


def moved_since(repository: Repository, tree: str) -> set[str]:
    """Return the files that differ from a tree: in the index, or on disk since the index was written."""
    options = ("-z", "--name-only", "--no-renames", "--no-ext-diff")
    staged = repository.run("diff-index", "--cached", *options, tree)
    return {*_fields(staged), *_fields(repository.run("diff-files", "-z", "--name-only"))}


def names_between(repository: Repository, before: str, after: str) -> set[str]:
    """Return the files that differ between two trees, or with "" between a tree and the index."""
    options = ("-z", "--name-only", "--no-renames", "--no-ext-diff")
    compared = ("diff-tree", "-r", *options, before, after) if after else ("diff-index", "--cached", *options, before)
    return set(_fields(repository.run(*compared)))


def names_in(repository: Repository, tree: str) -> list[str]:
    """Return all files of a tree."""
    return _fields(repository.run("ls-tree", "-r", "-z", "--full-tree", "--name-only", tree))


def sides(repository: Repository, tree: str, paths: Iterable[str]) -> dict[str, Side | None]:
    """Return these files from a tree, or with "" from the index; None for missing ones."""
    wanted, at = dict.fromkeys(paths), 2 if tree else 1  # "mode type id" of a tree, "mode id stage" of an index
    named = [*wanted] if len(wanted) <= _NAMED and "" not in wanted else []
    listing = ("ls-tree", "-r", "--full-tree", "-z", tree, "--", *named) if tree else ("ls-files", "--stage", "-z")
    rows = (field.partition("\t") for field in _fields(repository.run(*listing)))
    found = {path: meta.split() for meta, _, path in rows if path in wanted}
    blobs = Blobs(repository, [(path, "000000", meta[0], _NOTHING, meta[at]) for path, meta in found.items()])
    return {path: blobs.side(path, found[path][0], found[path][at]) if path in found else None for path in wanted}


def base(repository: Repository, branch: str = "") -> str:
    """Return the last commit, or the one where HEAD branched off `branch`; the empty tree before any commit."""
    if not branch:
        return "HEAD" if repository.has("HEAD^{tree}") else _EMPTY_TREE
    for name in (f"origin/{branch}", branch):
        if repository.has(f"{name}^{{tree}}"):
            return decode(repository.run("merge-base", "HEAD", name)).strip()
    raise GitError(f"There is no branch {branch!r} to compare with. `git branch --all` lists the branches.")


def uncommitted(repository: Repository, tree: str) -> list[Change]:
    """Return what may differ between a tree and the disk, new files included. The side after is not read yet."""
    said = _said(repository, "diff-index", tree)
    blobs = Blobs(repository, said.entries)
    changed = [_change(blobs, said, (*entry[:2], "000000", *entry[3:])) for entry in said.entries]
    untracked = _fields(repository.run("ls-files", "--others", "--exclude-standard", "-z"))
    return [*changed, *(Change(path) for path in untracked if not path.endswith("/"))]  # "/": a nested repository


class _Said(NamedTuple):
    """Git's output about two trees: each file's modes and ids, and its counts of added and removed lines."""

    entries: list[Entry]
    counts: dict[str, tuple[int, int]]


def _said(repository: Repository, *command: str) -> _Said:
    options = ("-z", "--no-renames", "--no-ext-diff")
    raw = _fields(repository.run(command[0], "--raw", "--no-abbrev", *options, *command[1:]))
    counts = _fields(repository.run(command[0], "--numstat", *options, *command[1:]))
    return _Said(list(_raw(raw)), _counts(counts))


def _raw(fields: Sequence[str]) -> Iterator[Entry]:
    for meta, path in zip(fields[::2], fields[1::2], strict=True):
        old_mode, new_mode, old_id, new_id, _ = meta[1:].split(" ")
        yield path, old_mode, new_mode, old_id, new_id


def _counts(fields: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return added and removed lines by path; binary files have none."""
    rows = (field.split("\t", 2) for field in fields)
    return {path: (0 if added == "-" else int(added), 0 if gone == "-" else int(gone)) for added, gone, path in rows}


def _change(blobs: Blobs, said: _Said, entry: Entry) -> Change:
    path, old_mode, new_mode, old_id, new_id = entry
    added, removed = said.counts.get(path, (None, None))
    before, after = blobs.side(path, old_mode, old_id), blobs.side(path, new_mode, new_id)
    return Change(path, before, after, additions=added, deletions=removed)


class Blobs:
    """Bytes of many blobs, as they are on disk; fetched on demand in batches, with a bounded cache."""

    def __init__(self, repository: Repository, entries: Sequence[Entry]) -> None:
        self._repository = repository
        self._wanted = list(dict.fromkeys(id for entry in entries for id in entry[3:] if id != _NOTHING))
        self._filtered = repository.filtered([entry[0] for entry in entries])
        self._cache: OrderedDict[str, bytes] = OrderedDict()

    def side(self, path: str, mode: str, id: str) -> Side | None:
        """Return one side of a change; None if there is no file."""
        if mode == "000000":
            return None
        if mode == SUBMODULE:
            return known(id.encode(), SUBMODULE)
        if path in self._filtered and mode != LINK:
            return Side(mode, lambda: self._smudged(path, id), id)
        return Side(mode, lambda: self._blob(id), id)

    def _smudged(self, path: str, id: str) -> bytes:
        key = f"{id} {path}"
        if key not in self._cache:
            data = self._repository.run("cat-file", "--filters", f"--path={path}", id)
            self._keep(key, data.replace(b"\n", b"\r\n") if self._has_lost_returns(path, data) else data)
        return self._cache[key]

    def _has_lost_returns(self, path: str, data: bytes) -> bool:
        """Return whether git stripped the `\r` of Windows line endings (`text=auto`) and does not restore them."""
        place = self._repository.worktree / path
        if b"\r" in data or b"\0" in data or not place.is_file():
            return False
        now = place.read_bytes()
        return 0 < now.count(b"\n") == now.count(b"\r\n")

    def _blob(self, id: str) -> bytes:
        if id not in self._cache:
            self._fetch(self._neighbours(id))
        self._cache.move_to_end(id)
        return self._cache[id]

    def _neighbours(self, id: str) -> list[str]:
        """Return this blob and the next small ones: whoever views a file often views the next."""
        start = self._wanted.index(id)
        window = self._wanted[start : start + _FETCHED]
        said = self._repository.run("cat-file", "--batch-check", stdin="\n".join(window).encode() + b"\n")
        rows = [line.split(" ") for line in decode(said).splitlines()]
        sizes = {row[0]: int(row[2]) for row in rows if row[1] == "blob"}
        total, together = sizes.get(id, 0), [id]
        for other in window[1:]:
            total += sizes.get(other, 0)
            if total > _FETCHED_BYTES:
                break
            if other in sizes and other not in self._cache:
                together.append(other)
        return together

    def _fetch(self, ids: Sequence[str]) -> None:
        said = self._repository.run("cat-file", "--batch", stdin="\n".join(ids).encode() + b"\n")
        at = 0
        for id in ids:
            end = said.index(b"\n", at)
            head = said[at:end].split(b" ")
            if len(head) != 3:
                raise GitError(f"git no longer has the blob {id}: the server keeps its snapshots for seven days.")
            at = end + 1 + int(head[2]) + 1
            self._keep(id, said[end + 1 : at - 1])

    def _keep(self, key: str, data: bytes) -> None:
        self._cache[key] = data
        while len(self._cache) > 1 and sum(map(len, self._cache.values())) > _CACHED_BYTES:
            self._cache.popitem(last=False)
