"""What finds the changes of a turn whose session was let go; small, and kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from opencode_nb.changes import git_objects, sources
from opencode_nb.changes.ledger import Own
from opencode_nb.changes.recorder import Images
from opencode_nb.diffs.renames import detect
from opencode_nb.session.session import AsyncSession
from opencode_nb.transcript.state import Json, TurnState

_WORKTREE = "From the git worktree that the prompt ran in: `apply()` makes the changes in {}. Not included: ignored \
files and nested repositories."


@dataclass(frozen=True, slots=True)
class InSession:
    """The changes of a turn in a session's own directory."""

    session_id: str
    directory: Path
    project: str
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, session: AsyncSession) -> InSession:
        """Return what finds the changes of this session's turns."""
        project = str(session.transcript.info.get("projectID") or "")
        return cls(session.id, session.directory, project, session.owner.environment)

    def __call__(self, turn: TurnState) -> sources.Found:
        """Find what the turn changed."""
        images, own = Images(self.session_id, self.directory), Own(self.session_id)
        place = sources.Place(self.session_id, self.directory, self.project, [], [turn], images, own, self.environment)
        return sources.of_turns([turn], place)

    @property
    def kept(self) -> Json:
        """It as JSON."""
        return {"session": self.session_id, "directory": str(self.directory), "project": self.project}


@dataclass(frozen=True, slots=True)
class BetweenTrees:
    """The changes between two of a repository's trees, which nobody has made in its work tree yet."""

    git_dir: Path
    root: Path
    before: str
    after: str

    def __call__(self, turn: TurnState) -> sources.Found:
        """Find what the turn changed. Raises GitError if git has removed the trees, as it does after some weeks."""
        found = git_objects.between(git_objects.Repository(self.git_dir, self.root), self.before, self.after)
        return sources.Found(detect(found), self.root, _WORKTREE.format(self.root))

    @property
    def kept(self) -> Json:
        """It as JSON."""
        return {"git_dir": str(self.git_dir), "root": str(self.root), "before": self.before, "after": self.after}


Changes: TypeAlias = InSession | BetweenTrees


def of_json(kept: Json, environment: Mapping[str, str]) -> Changes:
    """Return what `kept` has told."""
    if "after" in kept:
        return BetweenTrees(Path(kept["git_dir"]), Path(kept["root"]), kept["before"], kept["after"])
    return InSession(kept["session"], Path(kept["directory"]), kept["project"], environment)
