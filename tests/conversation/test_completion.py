"""What a prompt may name: ranked by pure functions, asked for at the real server."""

from __future__ import annotations

from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.conversation import completion, content
from opencode_nb.demo import DemoModel
from opencode_nb.server import Server


@pytest.mark.parametrize(
    ("text", "cursor", "word"),
    [
        ("/", 1, ("command", "", 0, 1)),
        ("/rev", 4, ("command", "rev", 0, 4)),
        ("/review this", 12, None),
        ("a /rev", 6, None),
        ("look at @src/te", 15, ("mention", "src/te", 8, 15)),
        ("@", 1, ("mention", "", 0, 1)),
        ("me@example.org", 14, None),
        ("(@a", 3, ("mention", "a", 1, 3)),
        ("@one two", 4, ("mention", "one", 0, 4)),
        ("plain", 5, None),
    ],
)
def test_the_word_at_the_cursor(text: str, cursor: int, word: tuple[str, str, int, int] | None) -> None:
    assert completion.word_at(text, cursor) == word


def test_the_better_fit_comes_first() -> None:
    ranked = ["test", "testing.md", "tests/test_mean.py", "a_test.py", "src/latest.py", "texts-of-it"]
    assert completion.ranked("test", [*sorted(ranked), "other"]) == ranked
    assert completion.ranked("", ["b", "a"]) == ["a", "b"]


def test_commands_files_agents_and_variables(server: Server, project: Path, demo_model: DemoModel) -> None:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        assert [found.label for found in ai.complete("/ini")] == ["/init"]
        assert ai.complete("/ini")[0].insert == "/init "
        assert ai.complete("nothing to complete") == []
        found, *_others = ai.complete("look at @temperatures.p")
        assert (found.kind, found.insert, found.start, found.end) == ("file", "@src/temperatures.py ", 8, 23)
        kinds = {found.kind for found in ai.complete("@", variables=["frame"])}
        assert kinds == {"file", "agent", "variable"}
        assert ai.complete("@fra", variables=["frame", "other"])[0].label == "@frame"
        assert ai.complete("@expl")[0].label == "@explore"
        assert len(ai.complete("@", variables=[f"name{n}" for n in range(100)])) == completion.LIMIT


def test_what_a_prompt_names_goes_along(server: Server, project: Path, demo_model: DemoModel) -> None:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        turn = ai.session().prompt("Say exactly: seen @README.md, (@src) and me@example.org @nothing", mentions=True)
        kinds = [(part["type"], part.get("filename")) for part in turn.messages[0].parts.values()]
        assert ("file", "README.md") in kinds
        assert ("file", "src") in kinds
        assert [kind for kind, _name in kinds].count("file") == 2


def test_an_agent_is_a_part_with_its_place_in_the_text(tmp_path: Path) -> None:
    (part,) = content.mentioned("ask @explore, please", tmp_path, {"explore"})
    assert part == {"type": "agent", "name": "explore", "source": {"value": "@explore", "start": 4, "end": 12}}
