"""The view of a diff in a real page, with real files below it: everything by role and name, and by keys alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import comm
import pytest
from playwright.sync_api import Locator, Page, expect

import opencode_nb as oc
from opencode_nb.changes.diff import Diff
from opencode_nb.demo import DemoModel, text
from opencode_nb.diffs.change import Change, Side, known
from opencode_nb.server import Server
from opencode_nb.widgets.diff import DiffView
from tests.render.diff.changes import Versions, make_diff, numbered
from tests.widgets.bridge import Bridge
from tests.widgets.conftest import Widget

FILES: dict[str, Versions] = {
    "README.md": ("# Title\n", "# Another title\n"),
    "src/long.py": (numbered(60), numbered(60, {10: "ten", 50: "fifty"})),
    "src/new.py": (None, "x = 1\n"),
}
IN_ORDER = ["src/long.py", "src/new.py", "README.md"]


@pytest.fixture
def show(page: Page, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Locator]]:
    """Show a diff in the page; its root."""
    views: list[DiffView] = []

    def show_(diff: Diff, session: oc.Session | None = None) -> Locator:
        bridge = Bridge(page, "diff/diff.js", lambda make: monkeypatch.setattr(comm, "create_comm", make))
        views.append(DiffView(diff, session))
        return bridge.render()

    yield show_
    for view in views:
        view.close()


@pytest.fixture
def root(show: Callable[..., Locator], tmp_path: Path) -> Locator:
    """The view of `FILES`, which are in `tmp_path`."""
    root = show(make_diff(tmp_path, FILES))
    expect(root.get_by_role("button", name="Revert file")).to_have_count(len(FILES))
    return root


def button(where: Locator, name: str) -> Locator:
    return where.get_by_role("button", name=name, exact=True)


def file(root: Locator, path: str) -> Locator:
    return root.locator(f'details[data-file="{path}"]')


def press(target: Locator, *keys: str) -> None:
    target.focus()
    for key in keys:
        target.page.keyboard.press(key)


def said(root: Locator, message: str | re.Pattern[str]) -> None:
    expect(root.get_by_role("status")).to_have_text(message)


def in_files(directory: Path) -> dict[str, str]:
    return {path: (directory / path).read_text() for path in FILES if (directory / path).exists()}


# --- acting -----------------------------------------------------------------------------------------------------------


def test_a_file_is_reverted_and_reapplied_with_the_keyboard(root: Locator, tmp_path: Path) -> None:
    readme = file(root, "README.md")
    press(button(readme, "Revert file"), "Enter")
    said(root, "Reverted: README.md.")
    assert (tmp_path / "README.md").read_text() == "# Title\n"
    expect(readme.locator("summary")).to_contain_text("reverted")
    expect(button(readme, "Apply file")).to_be_focused()
    root.page.keyboard.press("Enter")
    said(root, "Reapplied: README.md.")
    assert (tmp_path / "README.md").read_text() == "# Another title\n"
    expect(button(readme, "Revert file")).to_be_focused()


def test_reverting_one_hunk_keeps_the_other(root: Locator, tmp_path: Path) -> None:
    long = file(root, "src/long.py")
    press(button(long, "Revert hunk").nth(1), " ")
    said(root, "Reverted: change 2 of src/long.py.")
    assert (tmp_path / "src/long.py").read_text() == numbered(60, {10: "ten"})
    expect(long.locator("summary")).to_contain_text("partly")
    expect(button(long, "Apply hunk")).to_be_focused()
    expect(button(long, "Revert hunk")).to_have_count(1)
    expect(root.get_by_role("treeitem", name="src/long.py, modified, 2 added, 2 removed, partly")).to_be_visible()


def test_undo_and_redo_step_through_reverts_in_order(root: Locator, tmp_path: Path) -> None:
    undo, redo = button(root, "Undo"), button(root, "Redo")
    expect(undo).to_be_disabled()
    expect(redo).to_be_disabled()
    changed = in_files(tmp_path)
    button(file(root, "src/long.py"), "Revert hunk").nth(0).click()
    said(root, re.compile("change 1"))
    button(root, "Revert all").click()
    said(root, "Reverted: 3 files.")
    assert in_files(tmp_path) == {"README.md": "# Title\n", "src/long.py": numbered(60)}
    expect(button(file(root, "src/long.py"), "Apply hunk")).to_have_count(2)
    press(undo, "Enter")
    said(root, "Reapplied: 3 files.")
    assert in_files(tmp_path) == {**changed, "src/long.py": numbered(60, {50: "fifty"})}
    expect(undo).to_be_focused()
    press(undo, "Enter")
    said(root, "Reapplied: change 1 of src/long.py.")
    assert in_files(tmp_path) == changed
    expect(undo).to_be_disabled()
    expect(undo).to_be_focused()
    press(redo, "Enter")
    said(root, "Reverted: change 1 of src/long.py.")
    expect(undo).to_be_enabled()
    expect(redo).to_be_enabled()


def test_revert_refuses_a_file_changed_since_and_keeps_it(root: Locator, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Mine\n")
    button(file(root, "README.md"), "Revert file").click()
    said(root, re.compile(r"^Not reverted: README\.md: .*changed since.* one by one: press Revert hunk\.$"))
    expect(file(root, "README.md").locator("summary")).to_contain_text("changed since")
    expect(file(root, "README.md").locator("summary")).to_contain_text("Not reverted: README.md")
    expect(button(root, "Undo")).to_be_disabled()
    button(root, "Revert all").click()
    said(root, re.compile(r"^Reverted: 3 files\. Not reverted: README\.md"))
    expect(file(root, "README.md").locator("summary")).not_to_contain_text("Not reverted")
    assert in_files(tmp_path) == {"README.md": "# Mine\n", "src/long.py": numbered(60)}


def test_buttons_are_disabled_while_an_action_runs(page: Page, tmp_path: Path) -> None:
    """With no kernel that answers: the page waits, and nothing can be pressed twice."""
    from opencode_nb.render.diff.review import LiveDiff

    live = LiveDiff(make_diff(tmp_path, FILES))
    widget = Widget(page, "diff/diff.js")
    root = widget.render()
    widget.snapshot(0, live.snapshot())
    live.render(0)
    widget.patch(1, *live.update({"0"}))
    press(button(root, "Revert file"), "Enter", "Enter")
    expect(root).to_have_attribute("aria-busy", "true")
    expect(button(root, "Revert all")).to_be_disabled()
    root.page.keyboard.press("Enter")
    assert widget.sent("act") == [{"kind": "act", "id": "0", "act": "revert"}]
    live.say("Done.")
    widget.patch(2, *live.update({"said"}))
    expect(root).to_have_attribute("aria-busy", "false")
    expect(button(root, "Revert all")).to_be_enabled()
    expect(button(root, "Revert file")).to_be_focused()
    expect(button(root, "Undo")).to_be_disabled()


# --- looking ----------------------------------------------------------------------------------------------------------


def test_keys_move_between_changes_lines_and_files(root: Locator) -> None:
    keyboard = root.page.keyboard
    changes = [f'[data-hunk="{key}"]' for key in ("1.0", "1.1", "2.0", "0.0")]
    root.focus()
    for key, change in zip("njnj", changes, strict=True):
        keyboard.press(key)
        expect(root.locator(change)).to_be_focused()
    for key, change in zip("pkp", reversed(changes[:3]), strict=True):
        keyboard.press(key)
        expect(root.locator(change)).to_be_focused()
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    expect(file(root, "src/long.py").locator('[data-at="n8"]')).to_be_focused()
    keyboard.press("ArrowUp")
    expect(file(root, "src/long.py").locator('[data-at="n7"]')).to_be_focused()
    keyboard.press("]")
    expect(file(root, "src/new.py").locator("summary")).to_be_focused()
    keyboard.press("[")
    expect(file(root, "src/long.py").locator("summary")).to_be_focused()
    keyboard.press("?")
    expect(root.get_by_role("group").get_by_text("previous change")).to_be_visible()


def test_the_tree_can_be_navigated_folded_and_filtered_by_keys(root: Locator) -> None:
    tree, keyboard = root.get_by_role("tree", name="Changed files"), root.page.keyboard
    folder = tree.get_by_role("treeitem", name="src/", exact=True)
    first, second, last = (tree.get_by_role("treeitem", name=path) for path in IN_ORDER)
    expect(first).to_have_attribute("aria-selected", "true")
    first.focus()
    keyboard.press("ArrowLeft")
    expect(folder).to_be_focused()
    keyboard.press("ArrowLeft")
    expect(folder).to_have_attribute("aria-expanded", "false")
    expect(first).to_be_hidden()
    keyboard.press("ArrowDown")
    expect(last).to_be_focused()
    keyboard.press("Enter")
    expect(file(root, "README.md").locator("summary")).to_be_focused()
    expect(last).to_have_attribute("aria-selected", "true")
    keyboard.press("/")
    keyboard.type("new SRC")
    expect(second).to_be_visible()
    expect(last).to_be_hidden()
    expect(file(root, "README.md")).to_be_hidden()
    root.get_by_role("searchbox", name="Filter files").fill("")
    expect(folder).to_have_attribute("aria-expanded", "false")
    expect(last).to_be_visible()


def test_split_unified_and_wrap_buttons_change_the_layout(root: Locator) -> None:
    unified, split, wrap = (button(root, name) for name in ("Unified", "Split", "Wrap lines"))
    expect(unified).to_have_attribute("aria-pressed", "true")
    press(split, "Enter")
    expect(split).to_have_attribute("aria-pressed", "true")
    expect(unified).to_have_attribute("aria-pressed", "false")
    expect(split).to_be_focused()
    row = file(root, "README.md").locator(".oc-pair")
    expect(row).to_contain_text(re.compile(r"-# Title\s+1 \+# Another title"))
    press(wrap, "Enter")
    expect(wrap).to_have_attribute("aria-pressed", "false")
    press(unified, "Enter")
    expect(row).to_have_count(0)
    expect(wrap).to_have_attribute("aria-pressed", "false")


def test_unchanged_lines_can_be_expanded(root: Locator) -> None:
    long = file(root, "src/long.py")
    press(button(long, "Show 6 unchanged lines"), "Enter")
    expect(long.locator('[data-at="n1"]')).to_contain_text("line 1")
    few = button(long, "↓ 20 lines").first
    press(few, "Enter")
    expect(long.locator('[data-at="n33"]')).to_have_count(1)
    expect(button(long, "Show 13 unchanged lines")).to_be_visible()


def test_copy_patch_puts_the_patch_in_the_clipboard(root: Locator, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(button(file(root, "README.md"), "Copy patch"), "Enter")
    said(root, "Copied the patch of README.md.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith("@@ -1 +1 @@\n-# Title\n+# Another title\n")


def test_a_copied_selection_has_signs_but_no_line_numbers(root: Locator, page: Page) -> None:
    """Numbers are not copied with the lines, and signs are."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    file(root, "README.md").locator("pre").evaluate("node => getSelection().selectAllChildren(node)")
    page.keyboard.press("Control+c")
    assert page.evaluate("navigator.clipboard.readText()").split("\n")[:2] == ["-# Title", "+# Another title"]


def test_file_bodies_load_when_visible_and_unload_when_far_away(
    show: Callable[..., Locator], page: Page, tmp_path: Path
) -> None:
    files: dict[str, Versions] = {f"file{number:03}.txt": ("", numbered(40)) for number in range(120)}
    root = show(make_diff(tmp_path, files))
    bodies = root.locator(".oc-body")
    expect(file(root, "file000.txt").locator("[data-at]")).to_have_count(40)
    expect(file(root, "file119.txt").locator("[data-at]")).to_have_count(0)
    assert bodies.count() < 10
    for number in range(0, 120, 2):
        file(root, f"file{number:03}.txt").locator("summary").focus()
        expect(file(root, f"file{number:03}.txt").locator("[data-at]")).to_have_count(40)
    assert bodies.count() < 45
    root.get_by_role("treeitem", name="file000.txt").click()
    expect(file(root, "file000.txt").locator("[data-at]")).to_have_count(40)


def test_a_closed_view_removes_its_listeners_and_sends_nothing(page: Page, tmp_path: Path) -> None:
    from opencode_nb.render.diff.review import LiveDiff

    widget = Widget(page, "diff/diff.js")
    widget.stop_clock()
    root = widget.render("one")
    widget.snapshot(0, LiveDiff(make_diff(tmp_path, FILES)).snapshot())
    page.wait_for_function("model.sent.some(({ kind }) => kind === 'file')")
    page.evaluate("views.one.cleanup()")
    assert page.evaluate("model.listening") == 0
    sent = len(widget.sent("hello", "file", "act"))
    button(root, "Revert all").click()
    widget.pass_time(10_000)
    assert len(widget.sent("hello", "file", "act")) == sent


def test_a_file_request_without_an_answer_is_repeated(page: Page, tmp_path: Path) -> None:
    from opencode_nb.render.diff.review import LiveDiff

    widget = Widget(page, "diff/diff.js")
    widget.stop_clock()
    widget.render()
    widget.snapshot(0, LiveDiff(make_diff(tmp_path, {"x": ("", "y\n")})).snapshot())
    page.wait_for_function("model.sent.some(({ kind }) => kind === 'file')")
    widget.pass_time(10_000)
    assert widget.sent("file") == [{"kind": "file", "id": "0"}] * 4  # at first, and every three seconds


def test_an_unreadable_file_shows_its_error_beside_the_other_files(
    show: Callable[..., Locator], tmp_path: Path
) -> None:
    def lost() -> bytes:
        raise OSError("the object is gone")

    diff = make_diff(tmp_path, FILES)
    change = Change("README.md", known(b"x\n"), Side("100644", lost), additions=1, deletions=1, patch="")
    root = show(Diff([change, *(file._change for file in diff.files[1:])], tmp_path, "made up"))
    expect(file(root, "README.md")).to_contain_text("This file cannot be shown: OSError: the object is gone")
    expect(button(file(root, "src/new.py"), "Revert file")).to_be_visible()


# --- comments ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def session(server: Server, project: Path) -> Iterator[oc.Session]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        yield ai.session("Comments")


def test_a_line_comment_is_sent_with_the_next_prompt(
    show: Callable[..., Locator], session: oc.Session, demo_model: DemoModel, tmp_path: Path
) -> None:
    root = show(make_diff(tmp_path, FILES), session)
    keyboard, readme = root.page.keyboard, file(root, "README.md")
    added = readme.locator('[data-at="n1"]')
    expect(added).to_be_visible()
    root.focus()
    keyboard.press("p")
    expect(readme.locator("[data-hunk]")).to_be_focused()
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    expect(added).to_be_focused()
    keyboard.press("c")
    box = root.get_by_role("textbox", name="Comment on line 1 of README.md")
    expect(box).to_be_focused()
    keyboard.type("Why? n p ] /")
    keyboard.press("Tab")
    keyboard.press("Enter")
    said(root, "The next prompt will include your comment on README.md.")
    expect(readme.get_by_role("note")).to_contain_text("Why? n p ] /")
    expect(added).to_be_focused()
    assert [comment.at for comment in session.comments] == ["n1"]
    with pytest.raises(oc.OpencodeError):
        session.prompt("Go on", agent="nobody")
    assert len(session.comments) == 1, "a prompt that could not be sent takes nothing along"
    demo_model.queue([text("Done.")])
    turn = session.prompt("Go on")
    asked = "The user made the following comment regarding line 1 of README.md: Why? n p ] /\n> # Another title"
    assert turn.prompt == f"Go on\n\n{asked}"
    assert asked in str(demo_model.requests[-1]["messages"][-1]["content"]).replace("\\n", "\n")
    assert session.comments == []
    expect(readme.get_by_role("note")).to_have_count(0)


def test_a_comment_can_be_cancelled_and_removed(
    show: Callable[..., Locator], session: oc.Session, tmp_path: Path
) -> None:
    root = show(make_diff(tmp_path, FILES), session)
    keyboard, readme = root.page.keyboard, file(root, "README.md")
    gone = readme.locator('[data-at="o1"]')
    gone.hover()
    button(root, "Comment on this line").click()
    keyboard.press("Escape")
    expect(gone).to_be_focused()
    keyboard.press("c")
    keyboard.type("first")
    button(readme, "Revert hunk").click()  # the lines are drawn anew around what is being written
    expect(root.get_by_role("textbox", name="Comment on removed line 1 of README.md")).to_have_value("first")
    button(root, "Add comment").click()
    expect(readme.get_by_role("note")).to_have_count(1)
    button(readme, "Remove comment").click()
    said(root, "Comment removed.")
    expect(readme.get_by_role("note")).to_have_count(0)
    assert session.comments == []


def test_without_a_session_there_are_no_comments(root: Locator) -> None:
    file(root, "README.md").locator('[data-at="n1"]').hover()
    root.focus()
    for key in "nc":
        root.page.keyboard.press(key)
    expect(button(root, "Comment on this line")).to_have_count(0)
    expect(root.get_by_role("textbox")).to_have_count(0)
