"""What a text that begins with a slash means, and which commands there are: pure, but for one look at the disk."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from opencode_nb.errors import OpencodeError
from opencode_nb.session.prompt import completion
from opencode_nb.session.prompt.acts import one_of
from opencode_nb.session.prompt.commands import COMMANDS, NOT_NEEDED, Said, help_text, meant, offered

THEIRS: list[dict[str, Any]] = [
    {"name": "init", "description": "Set up AGENTS.md", "source": "command"},
    {"name": "git/commit", "source": "command"},
    {"name": "docs:ask", "source": "mcp"},
    {"name": "context", "description": "A skill named as an alias of ours", "source": "skill"},
    {"name": "diff", "description": "A skill named as a command of ours", "source": "skill"},
]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/undo", Said("own", "", "undo")),
        ("/clear\n", Said("own", "", "new")),
        ("/resume Days & nights\n", Said("own", "Days & nights", "sessions")),
        ("/rename\nOn the next line", Said("own", "On the next line", "rename")),
        ("/init be brief", Said("command", "be brief", "init")),
        ("/init\nseveral\nlines\n", Said("command", "several\nlines", "init")),
        ("/git/commit now", Said("command", "now", "git/commit")),
        ("/docs:ask", Said("command", "", "docs:ask")),
        ("/context", Said("command", "", "context")),
        ("/diff", Said("own", "", "diff")),
    ],
)
def test_a_command_is_recognised(text: str, said: Said) -> None:
    assert meant(text, THEIRS) == said


@pytest.mark.parametrize(
    "text",
    [
        "explain this",
        " /undo is a command",
        "/home/x is full",
        "/etc/hosts says",
        "/tmp",
        "/usr is read-only",
        "/etc.",
        "/ what",
        "/",
        "/2 of it",
        "/* a comment */",
        "//",
        "/and/or",
        "/data.csv has gaps",
        "/Users are named",
    ],
)
def test_prose_that_begins_with_a_path_stays_prose(text: str) -> None:
    assert meant(text, THEIRS) == Said("prompt", text)


def test_a_folder_at_the_root_of_this_disk_is_a_path() -> None:
    for folder in Path("/").iterdir():
        assert meant(f"/{folder.name} is full", THEIRS).kind == "prompt"


@pytest.mark.parametrize(
    ("text", "closest"),
    [
        ("/udno", "/undo"),
        ("/modles x", "/models"),
        ("/Undo it", "/undo"),
        ("/session", "/sessions"),
        ("/summarise", "/summarize"),
        ("/int", "/init"),
    ],
)
def test_an_unknown_command_is_refused_with_the_closest(text: str, closest: str) -> None:
    name = text.split()[0]
    with pytest.raises(OpencodeError, match=f"Unknown command {name}. Did you mean {closest}[?] /help lists"):
        meant(text, THEIRS)


def test_an_unknown_command_without_a_close_one_names_the_way_on() -> None:
    with pytest.raises(
        OpencodeError, match=r"Unknown command /frobnicate\. /help lists the commands\. With a space before"
    ):
        meant("/frobnicate", THEIRS)


@pytest.mark.parametrize("text", ["/share is broken, mend it", "/clear the cache", "/undo\nthis"])
def test_prose_after_a_command_that_takes_none_runs_nothing(text: str) -> None:
    with pytest.raises(OpencodeError, match=r"takes nothing after it: write it alone\. With a space before it"):
        meant(text, THEIRS)


@pytest.mark.parametrize("name", NOT_NEEDED)
def test_an_inapplicable_command_names_the_alternative(name: str) -> None:
    with pytest.raises(OpencodeError, match=f"/{name} is not needed here: "):
        meant(f"/{name}", THEIRS)


def test_a_user_defined_command_overrides_a_built_in_one() -> None:
    own = [{"name": "undo", "description": "Mine", "source": "command"}]
    assert meant("/undo it", own) == Said("command", "it", "undo")
    assert [one["description"] for one in offered(own) if one["name"] == "undo"] == ["Mine"]


def test_each_name_is_that_of_one_command() -> None:
    names = [name for command in COMMANDS for name in (command.name, *command.aliases)]
    assert sorted([*names, *NOT_NEEDED]) == sorted({*names, *NOT_NEEDED})


def test_every_listed_command_is_accepted() -> None:
    listed = offered(THEIRS)
    names = [one["name"] for one in listed]
    assert len(names) == len(set(names))
    for one in listed:
        said = meant(f"/{one['name']}", THEIRS)
        assert (said.kind == "own") == one["acts"]
        for alias in one["aliases"]:
            assert meant(f"/{alias}", THEIRS) == said
    lines = help_text(THEIRS).splitlines()
    assert [line.split()[0] for line in lines] == [f"/{name}" for name in names]
    assert re.fullmatch(r"/new +Start a new session \(also /clear\)", lines[0])
    assert re.fullmatch(r"/sessions \[SESSION\] +Switch to .*", lines[1])


def test_commands_are_completed_by_name_and_alias() -> None:
    def labels(text: str) -> list[str]:
        word = completion.word_at(text, len(text))
        assert word is not None
        return [one.label for one in completion.commands(word, offered(THEIRS))]

    assert labels("/") == [f"/{one['name']}" for one in offered(THEIRS)]
    assert labels("/und") == ["/undo"]
    assert labels("/share")[:2] == ["/share", "/unshare"]
    assert labels("/cle") == ["/new"]
    assert labels("/usr") == []


def test_enter_runs_only_a_suggestion_that_matches_the_text() -> None:
    word = completion.Word("command", "share", 0, 6)
    assert [(one.label, one.acts) for one in completion.commands(word, offered(THEIRS))] == [
        ("/share", True),
        ("/unshare", False),
    ]
    (init,) = completion.commands(completion.Word("command", "ini", 0, 4), offered(THEIRS))
    assert (init.acts, init.insert) == (False, "/init ")


def test_an_unambiguous_part_of_a_name_is_enough() -> None:
    models = ["bar/m", "bar/m-large", "foo/opus"]
    assert one_of("bar/m", models, "model") == "bar/m"
    assert one_of("M", models, "model") == "bar/m"
    assert one_of("opus", models, "model") == "foo/opus"
    with pytest.raises(OpencodeError, match=r"2 models match bar: bar/m, bar/m-large\. Write more"):
        one_of("bar", models, "model")
    with pytest.raises(OpencodeError, match=r"There is no model gpt\. Available models: bar/m"):
        one_of("gpt", models, "model")


def test_the_documentation_names_every_command() -> None:
    text = (Path(__file__).parents[3] / "docs/commands.md").read_text(encoding="utf-8")
    named = set(re.findall(r"/([a-z][\w-]*)", text))
    names = {name for command in COMMANDS for name in (command.name, *command.aliases)}
    assert (names | set(NOT_NEEDED)) - named == set()
