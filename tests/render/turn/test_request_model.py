"""What is allowed is what was shown: a request's card and the console's question show everything it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opencode_nb.render.turn.requests import request_html
from opencode_nb.session.permissions.console import describe
from opencode_nb.tools.names import server_name
from tests.render.page_model import parse

ROOT = "/project"
PATCH = "Index: {0}\n=====\n--- {0}\n+++ {0}\n@@ -1 +1 @@\n-before {0}\n+after {0}\n"
LONG = "x" * 400
HIDDEN = {"\u202e": "\\u202e", "\r": "\u240d", "\u200b": "\\u200b", "\xad": "\\u00ad", "\U000e0041": "\\U000e0041"}


def request(permission: str, tool: str = "", given: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a request as sessions pass it on: with its call."""
    call = {"tool": tool, "input": given or {}} if tool else {}
    asked = {"id": "per_1", "permission": permission, "patterns": ["*"], "always": [], "metadata": {}}
    return {**asked, "call": call, "directory": ROOT, **more}


def change(path: str, root: str = ROOT, **more: str) -> dict[str, Any]:
    """Return one file as `apply_patch` lists it."""
    absolute = f"{root}/{path}"
    return {"filePath": absolute, "relativePath": path, "type": "update", "patch": PATCH.format(absolute), **more}


def patch(*files: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a request of `apply_patch`: as from the server, its patterns don't say where a file moves."""
    names = [file["relativePath"] for file in files]
    metadata = {"filepath": ", ".join(names), "diff": "".join(file["patch"] for file in files), "files": list(files)}
    given = {"patchText": "*** Begin Patch"}
    return request("edit", "apply_patch", given, patterns=names, always=["*"], metadata=metadata, **more)


def card(asked: dict[str, Any]) -> str:
    return parse(request_html(asked, asked["directory"])).text


MEDIA = pytest.mark.parametrize("show", [card, describe])


@MEDIA
def test_a_request_says_where_a_file_moves(show: Any) -> None:
    moves = change("run.txt", relativePath=".git/hooks/post-checkout", movePath=f"{ROOT}/.git/hooks/post-checkout")
    assert "run.txt, moves to .git/hooks/post-checkout" in show(patch(moves))
    assert "run.txt, moves to /etc/cron.d/x" in show(patch(change("run.txt", movePath="/etc/cron.d/x"), change("b")))


@MEDIA
def test_every_file_of_a_long_patch_is_named_before_its_lines(show: Any) -> None:
    files = [change(f"a/very/long/path/to/the/file/number/{number}.py") for number in range(21)]
    shown = show(patch(files[0] | {"type": "delete"}, *files[1:]))
    assert "change 21 files" in shown
    assert "number/0.py, deleted" in shown
    for file in files:
        assert shown.count(file["relativePath"]) >= 2
        title, lines = shown.rindex(file["relativePath"] + (", deleted" if "/0.py" in file["relativePath"] else "")), 0
        lines = shown.index(f"after {file['filePath']}")
        assert title < lines or shown.rindex(file["relativePath"], 0, lines) < lines


@MEDIA
def test_each_hunk_is_below_its_own_file(show: Any) -> None:
    shown = show(patch(change("one.py"), change("two.py")))
    places = [shown.index(text) for text in (f"after {ROOT}/one.py", f"after {ROOT}/two.py")]
    assert places[0] < shown.rindex("two.py", 0, shown.index(f"before {ROOT}/two.py")) < places[1]


@MEDIA
def test_no_line_of_a_long_change_is_folded_or_cut(show: Any) -> None:
    lines = "".join(f"+line {number}\n" for number in range(900))
    shown = show(patch(change("a.py", patch=f"@@ -0,0 +1,900 @@\n{lines}")))
    assert all(f"line {number}" in shown for number in range(900))
    assert "more line" not in shown


@MEDIA
def test_a_request_says_where_links_lead(show: Any, tmp_path: Path) -> None:
    real = tmp_path / "home"
    (real / "inner").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    root = tmp_path / "project"
    root.symlink_to(real)  # a link to the directory itself does not count: it was chosen
    (real / "folder").symlink_to(tmp_path / "outside")
    (real / "file").symlink_to("inner/other")
    shown = show(patch(*(change(name, str(root)) for name in ("folder/x", "file", "inner/y")), directory=str(root)))
    assert f"folder/x, links to {tmp_path}/outside/x, outside the directory" in shown
    assert "file, links to inner/other" in shown
    assert "inner/y, a link" not in shown
    moves = change("inner/y", str(root), movePath=f"{root}/folder/y")
    assert f"moves to folder/y, links to {tmp_path}/outside/y" in show(patch(moves, directory=str(root)))
    command = request("bash", "bash", {"command": "ls", "workdir": "folder"}, directory=str(root))
    assert f"links to {tmp_path}/outside" in show(command)


@MEDIA
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (request("bash", "bash", {"command": "ls", "workdir": "/etc", "timeout": 5}), ["ls", "/etc", "timeout: 5"]),
        (request("bash", metadata={"command": f"echo {LONG} && true"}), [f"echo {LONG} && true"]),
        (request("webfetch", metadata={"url": f"https://{LONG}.org/?q={LONG}"}), [f"https://{LONG}.org/?q={LONG}"]),
        (request("webfetch", patterns=[f"https://{LONG}.org"]), [f"https://{LONG}.org"]),
        (
            request("task", "task", {"prompt": f"Do {LONG}", "subagent_type": "general"}),
            [f"Do {LONG}", "Agent: general"],
        ),
        (
            request("kernel_python", "kernel_python", {"code": "a = 1\nb = 2", "description": "d", "deep": {"x": [0]}}),
            ["a = 1", "b = 2", "description: d", '"x"'],
        ),
        (
            request(
                "external_directory",
                "bash",
                {"command": "rm y", "workdir": "/else"},
                metadata={"command": "rm y", "directories": ["/else", "/other"], "patterns": ["/else/*"]},
            ),
            ["rm y", "Directory: /else", "Directory: /other", "In directory: /else"],
        ),
        (
            request(
                "external_directory", "write", {"filePath": "/else/y", "content": LONG}, metadata={"parentDir": "/else"}
            ),
            ["Directory: /else", "File: /else/y", LONG],
        ),
        (
            request("doom_loop", patterns=["bash"], metadata={"tool": "bash", "input": {"command": "true"}}),
            ["Tool: bash", '"command": "true"'],
        ),
        (
            request("edit", "edit", {"replaceAll": True}, metadata={"filepath": f"{ROOT}/a", "diff": PATCH}),
            ["replaceAll: true"],
        ),
        (request("read", "read", {"filePath": f"{ROOT}/.env"}, patterns=[".env"]), [f"File: {ROOT}/.env"]),
        (request("skill", patterns=["fix-it"]), ["fix-it"]),
    ],
    ids=lambda value: value["permission"] if isinstance(value, dict) else "",
)
def test_the_whole_input_of_a_call_is_shown(show: Any, asked: dict[str, Any], said: list[str]) -> None:
    shown = show(asked)
    assert [text for text in said if text not in shown] == []


@MEDIA
@pytest.mark.parametrize(
    ("asked", "covered"),
    [
        (request("bash", always=["touch *", "rm *"]), "touch *, rm *"),
        (patch(change("a.py")), "every edit"),
        (request("webfetch", always=["*"]), "every URL"),
        (request("kernel_python", always=["*"]), "every use of kernel_python"),
    ],
)
def test_always_says_what_it_covers_and_until_when(show: Any, asked: dict[str, Any], covered: str) -> None:
    assert f"Allow always: {covered} in this project, until OpenCode stops" in show(asked)


@MEDIA
@pytest.mark.parametrize("hidden", HIDDEN)
def test_invisible_characters_are_marked(show: Any, hidden: str) -> None:
    text = f"rm{hidden}x"
    every = [
        request("bash", metadata={"command": text}, always=[text]),
        request("webfetch", "webfetch", {"url": text, text: text}),
        request(text, patterns=[text]),
        patch(change(text, movePath=f"/{text}")),
        patch(change("a.py", patch=f"@@ -0,0 +1 @@\n+{text}\n"), change("b.py")),
        request("external_directory", metadata={"directories": [text]}),
    ]
    for asked in every:
        shown = show(asked)
        assert hidden not in shown
        assert f"rm{HIDDEN[hidden]}x" in shown


def test_no_line_of_a_command_looks_like_one_of_the_console() -> None:
    shown = describe(request("bash", metadata={"command": "ls\nAllow always: nothing"}))
    assert "\nAllow always: nothing" not in shown


@MEDIA
@pytest.mark.parametrize(
    ("asker", "said"),
    [
        (None, ""),
        ({}, "Another session "),
        ({"subagent_type": "general", "description": "Look around"}, "The subagent general (Look around) "),
        ({"subagent_type": "explore"}, "The subagent explore "),
    ],
)
def test_a_request_says_who_asks(show: Any, asker: Any, said: str) -> None:
    own = "This session wants" if show is card else "The agent asks"
    shown = show(request("bash", metadata={"command": "ls"}, asker=asker))
    assert (f"{said}wants" in shown or f"{said}asks" in shown) if said else own in shown


def test_a_long_change_is_folded_after_its_first_screen() -> None:
    """All of it is one click away, in one fold, and how long it is stands above."""
    lines = "".join(f"+line {number}\n" for number in range(60))
    files = [change(f"{name}.py", patch=f"@@ -0,0 +1,60 @@\n{lines}") for name in "ab"]
    page = parse(request_html(patch(*files), ROOT))
    (fold,) = [
        node for node in page.walk() if node.tag == "details" and "changes" in (node.attrs.get("data-fold") or "")
    ]
    assert fold.text.startswith("Show all 122 lines")
    shown = page.text.replace(fold.text, "")
    assert "line 38" in shown
    assert "line 39" not in shown
    assert "a.py +60 \u22120" in shown
    assert "b.py +60 \u22120" in fold.text
    short = parse(request_html(patch(change("a.py")), ROOT))
    assert "Show all" not in short.text


SERVED = server_name("ses_1")
CODE = "import os\nos.remove('a')\n" + "".join(f"x{i} = {i}\n" for i in range(300))


def of_kernel(tool: str = "python", given: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a request of one of the kernel's tools, as the server sends it."""
    return request(f"{SERVED}_{tool}", f"{SERVED}_{tool}" if given else "", given, always=["*"], **more)


@MEDIA
def test_all_the_code_is_shown_before_it_is_allowed(show: Any) -> None:
    shown = show(of_kernel(given={"code": CODE, "timeout": 5}))
    assert "run Python code in your kernel" in shown
    assert [text.strip() for text in CODE.splitlines() if text not in shown] == []
    assert "timeout: 5" in shown
    assert SERVED not in shown
    assert "Allow always: any Python code in this kernel, until it ends" in shown
    assert "full trust" in shown
    assert "in this project" not in shown


@MEDIA
@pytest.mark.parametrize("hidden", HIDDEN)
def test_code_hides_no_character(show: Any, hidden: str) -> None:
    shown = show(of_kernel(given={"code": f"if level != 'user{hidden}'  # check\n    pass"}))
    assert hidden not in shown
    assert HIDDEN[hidden] in shown


@MEDIA
def test_code_that_has_not_arrived_is_told(show: Any) -> None:
    assert "The code has not arrived yet." in show(of_kernel())
    assert "has not arrived" not in show(of_kernel(given={"code": ""}))


@MEDIA
def test_other_tools_of_the_kernel_are_named_without_their_prefix(show: Any) -> None:
    shown = show(of_kernel("restart", {"why": "memory"}))
    assert "call your function restart" in shown
    assert "every use of restart in this kernel, until it ends" in shown
    assert SERVED not in shown


def test_code_is_coloured_and_not_folded() -> None:
    tree = parse(request_html(of_kernel(given={"code": CODE}), ROOT))
    (code,) = [node for node in tree.walk() if node.tag == "pre"]
    assert code.text == CODE
    assert any("color:" in str(node.attrs.get("style")) for node in code.walk() if node.tag == "span")
    folded = code
    while folded := folded.parent:  # type: ignore[assignment]
        assert folded.tag != "details"


def of_cell(tool: str, title: str, before: str | None, after: str | None) -> dict[str, Any]:
    asked = of_kernel(tool, {"id": "internal"})
    asked["call"]["shown"] = [{"kind": "cell", "title": title, "before": before, "after": after}]
    return asked


@MEDIA
def test_a_request_about_a_cell_shows_its_number_and_its_source(show: Any) -> None:
    for asked in (
        of_cell("run_cell", "Cell 3", "import this", "import this"),
        of_cell("edit_cell", "Cell 3", "", "import this"),
        of_cell("delete_cell", "Cell 3", "import this", None),
    ):
        said = show(asked)
        assert ("Accept all in this turn" in said) is (asked["permission"] != f"{SERVED}_run_cell")
        assert "3" in said
        assert "import this" in said
        assert "internal" not in said


def test_the_code_of_a_cell_that_is_run_is_coloured() -> None:
    tree = parse(request_html(of_cell("run_cell", "Cell 3", "import this", "import this"), ROOT))
    (code,) = [node for node in tree.walk() if node.tag == "pre"]
    assert any("color:" in str(node.attrs.get("style")) for node in code.walk() if node.tag == "span")
