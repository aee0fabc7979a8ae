"""What a prompt may name: ranked by pure functions, asked for at the real server."""

from __future__ import annotations

from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel
from opencode_nb.server import Server
from opencode_nb.session.prompt import completion
from opencode_nb.session.prompt import parts as prompt_parts


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
        ('look at @"my da', 15, ("mention", "my da", 8, 15)),
        ('@"', 2, ("mention", "", 0, 2)),
        ('@"my data/"su', 13, ("mention", "my data/su", 0, 13)),
        ('@"my data.csv"', 14, None),
        ('@"my data.csv" and', 18, None),
        ('the sign "@"', 12, None),
        ('the sign @" is', 14, None),
    ],
)
def test_word_at_finds_the_command_or_mention_at_the_cursor(
    text: str, cursor: int, word: tuple[str, str, int, int] | None
) -> None:
    assert completion.word_at(text, cursor) == word


def test_better_matches_rank_first() -> None:
    ranked = ["test", "testing.md", "tests/test_mean.py", "a_test.py", "src/latest.py", "texts-of-it"]
    assert completion.ranked("test", [*sorted(ranked), "other"]) == ranked
    assert completion.ranked("", ["b", "a"]) == ["a", "b"]


def test_commands_files_agents_and_variables_are_completed(
    server: Server, project: Path, demo_model: DemoModel
) -> None:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        assert [found.label for found in ai.complete("/ini")] == ["/init"]
        assert ai.complete("/ini")[0].insert == "/init "
        assert "/new" in [found.label for found in ai.complete("/")]
        assert ai.complete("nothing to complete") == []
        found, *_others = ai.complete("look at @temperatures.p")
        assert (found.kind, found.insert, found.start, found.end) == ("file", "@src/temperatures.py ", 8, 23)
        kinds = {found.kind for found in ai.complete("@", variables=["frame"])}
        assert kinds == {"file", "agent", "variable"}
        assert ai.complete("@fra", variables=["frame", "other"])[0].label == "@frame"
        assert ai.complete("@expl")[0].label == "@explore"
        assert len(ai.complete("@", variables=[f"name{n}" for n in range(100)])) == completion.LIMIT


def test_a_name_with_spaces_is_completed_in_quotes_and_attached(
    server: Server, project: Path, demo_model: DemoModel
) -> None:
    (project / "my data").mkdir()
    for name in ("my data/of may.csv", "what now?", "it's.csv"):
        (project / name).write_text(f"in {name}")
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:

        def offered(text: str) -> dict[str, str]:
            return {found.label: found.insert for found in ai.complete(text)}

        assert offered("@may")['@"my data/of may.csv"'] == '@"my data/of may.csv" '
        assert '@"my data/of may.csv"' in offered('look at @"my data/')
        assert '@"my data/of may.csv"' in offered('look at @"my data/"of')
        assert "@src/temperatures.py" in offered("@src/")
        assert offered("@my")['@"my data/"'] == '@"my data/"'  # a folder is gone into
        assert '@"what now?"' in offered("@what")
        assert "@it's.csv" in offered("@it")
        prompt = 'Say exactly: seen (@"my data/of may.csv"), @"what now?", @it\'s.csv, @"my data/", "@" and @"nothing'
        turn = ai.session().prompt(prompt, mentions=True)
        names = [part.get("filename") for part in turn.messages[0].parts.values() if part["type"] == "file"]
        assert names == ["of may.csv", "what now?", "it's.csv", "my data"]


def test_server_file_matches_are_offered_only_without_better_ones() -> None:
    word = completion.Word("mention", "fra", 0, 4)
    found = completion.mentions(word, ["README.md", "src/frames.py"], [{"name": "plan"}], ["frame", "other"])
    assert [one.label for one in found] == ["@frame", "@src/frames.py"]
    assert [one.label for one in completion.mentions(word, ["README.md"], [], ["other"])] == ["@README.md"]


def test_names_that_cannot_be_quoted_are_not_offered() -> None:
    word = completion.Word("mention", "a", 0, 2)
    found = completion.mentions(word, ['a "b" c', "a\nb", 'a"b', "a b", "a@b"], [], [])
    assert {one.label for one in found} == {'@a"b', '@"a b"', '@"a@b"'}


def test_mentioned_files_and_folders_are_attached(server: Server, project: Path, demo_model: DemoModel) -> None:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        turn = ai.session().prompt("Say exactly: seen @README.md, (@src) and me@example.org @nothing", mentions=True)
        kinds = [(part["type"], part.get("filename")) for part in turn.messages[0].parts.values()]
        assert ("file", "README.md") in kinds
        assert ("file", "src") in kinds
        assert [kind for kind, _name in kinds].count("file") == 2


def test_a_mentioned_agent_becomes_a_part_with_its_text_position(tmp_path: Path) -> None:
    (quoted,) = prompt_parts.mentioned('ask @"ex plore", please', tmp_path, {"ex plore"})
    assert quoted["source"] == {"value": '@"ex plore"', "start": 4, "end": 15}
    (part,) = prompt_parts.mentioned("ask @explore, please", tmp_path, {"explore"})
    assert part == {"type": "agent", "name": "explore", "source": {"value": "@explore", "start": 4, "end": 12}}
