"""Render the tree of a diff's files: collapsible directories, and each file with its status. Pure.

A tree in the sense of ARIA: on the page, arrow keys move the focus among its items, and a filter hides some.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from opencode_nb.diffs.reviewable import ReviewableFile
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join

_LETTERS = {"added": ("A", "good"), "deleted": ("D", "bad"), "renamed": ("R", "info")}
_STATES = {"reverted": "\u21a9", "partly": "\u00bd", "changed since": "!"}


@dataclass
class _Directory:
    directories: dict[str, _Directory] = field(default_factory=dict)
    files: list[int] = field(default_factory=list)


def in_order(files: Sequence[ReviewableFile]) -> list[int]:
    """Return the files' indices in the tree's order: in each directory, first directories, then files."""
    return sorted(range(len(files)), key=lambda index: _rank(files[index].file))


def _rank(path: str) -> list[tuple[bool, str]]:
    *parents, name = path.split("/")
    return [*((False, parent) for parent in parents), (True, name)]


def tree_html(files: Sequence[ReviewableFile], states: Sequence[str]) -> Html:
    """Render the whole tree; `states` are the files' states, "" if not known yet."""
    root = _Directory()
    for index in in_order(files):
        home = root
        for parent in files[index].file.split("/")[:-1]:
            home = home.directories.setdefault(parent, _Directory())
        home.files.append(index)
    content = _content(root, files, states)
    return element("div", content, classes="oc-tree", role="tree", aria_label="Changed files", data_key="tree")


def _content(directory: _Directory, files: Sequence[ReviewableFile], states: Sequence[str], path: str = "") -> Html:
    folders = [_folder(f"{path}{name}", inner, files, states) for name, inner in directory.directories.items()]
    leaves = [leaf_html(index, files[index], states[index]) for index in directory.files]
    return join([*folders, *leaves])


def _folder(path: str, directory: _Directory, files: Sequence[ReviewableFile], states: Sequence[str]) -> Html:
    """Render a directory, joined with its only child directory as `a/b`."""
    parent = path.rpartition("/")[0]
    while len(directory.directories) == 1 and not directory.files:
        (inner, directory), *_ = directory.directories.items()
        path = f"{path}/{inner}"
    name = path[len(parent) :].removeprefix("/")
    label = element("span", escape(f"{name}/"), classes="oc-item oc-folder")
    inside = element("div", _content(directory, files, states, f"{path}/"), role="group")
    return element(
        "div",
        join([label, inside]),
        role="treeitem",
        aria_expanded="true",
        aria_label=f"{name}/",
        title=path,
        tabindex="-1",
    )


def leaf_html(index: int, file: ReviewableFile, state: str) -> Html:
    """Render one file."""
    letter, colour = _LETTERS.get(file.status, ("M", "warn"))
    mark = _STATES.get(state, "")
    item = [
        element("span", escape(letter), classes=f"oc-letter oc-{colour}"),
        element("span", escape(file.file.rpartition("/")[2]), classes="oc-name"),
        element("span", escape(mark), classes="oc-mark", title=state) if mark else NOTHING,
        amount(file),
    ]
    return element(
        "div",
        element("div", join(item), classes="oc-item"),
        role="treeitem",
        aria_label=_label(file, state),
        title=file.file,
        tabindex="-1",
        data_key=f"t{index}",
        data_goto=str(index),
    )


def amount(file: ReviewableFile) -> Html:
    """Render lines added and removed; empty if there are none: binary files, mere renames.

    Uses only classes: it is on the page twice per file, where a style sheet is available.
    """
    if not file.additions and not file.deletions:
        return NOTHING
    added = element("span", escape(f"+{file.additions}"), classes="oc-good")
    removed = element("span", escape(f"\u2212{file.deletions}"), classes="oc-bad")
    return element("span", join([added, removed], Html(" ")), classes="oc-amount")


def _label(file: ReviewableFile, state: str) -> str:
    changed = f", {file.additions} added, {file.deletions} removed" if file.additions or file.deletions else ""
    said = f", {state}" if state in _STATES else ""
    return f"{file.file}, {file.status}{changed}{said}"
