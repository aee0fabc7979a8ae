"""Rules of permissions: which one counts, whose name is refused, and what a session is told. Pure."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencode_nb.session.permissions.approvals import Approvals
from opencode_nb.session.permissions.policy import Policy
from opencode_nb.session.permissions.rules import (
    PERMISSION_OF,
    PERMISSIONS,
    UNASKED,
    Rules,
    matches,
    misspelt,
    strictest,
)
from opencode_nb.session.permissions.session_rules import MARK, Kept, session_rules
from opencode_nb.session.permissions.subjects import Place, subjects
from opencode_nb.tools.names import CELL_CHANGES
from opencode_nb.transcript.state import Json

NAMES = st.sampled_from([*PERMISSIONS, *PERMISSION_OF, "*", "nb*", "nb_python", "deploy", "w*"])
ACTIONS = st.sampled_from(["allow", "ask", "deny"])
TABLES = ACTIONS | st.dictionaries(st.sampled_from(["*", "git *", "git push *", "*.py", "a?"]), ACTIONS, min_size=1)
OPTIONS = st.dictionaries(NAMES, TABLES, max_size=5)
PERMISSION = st.sampled_from([*PERMISSIONS, "nb_python", "deploy"])
TEXTS = st.sampled_from(["*", "git status", "git push origin", "a.py", "a1", "git"])
bounded = settings(max_examples=60, deadline=None)


def shuffled(option: dict[str, Any], rng: Any) -> dict[str, Any]:
    items = list(option.items())
    rng.shuffle(items)
    return {name: shuffled(rule, rng) if isinstance(rule, dict) else rule for name, rule in items}


@bounded
@given(OPTIONS, PERMISSION, TEXTS, st.randoms())
def test_the_order_of_rules_does_not_matter(option: dict[str, Any], permission: str, text: str, rng: Any) -> None:
    assert Rules(option).action(permission, [text]) == Rules(shuffled(option, rng)).action(permission, [text])


@bounded
@given(OPTIONS, st.sampled_from(["edit", *(tool for tool, of in PERMISSION_OF.items() if of == "edit")]), TEXTS)
def test_a_plain_deny_overrides_every_other_rule(option: dict[str, Any], name: str, text: str) -> None:
    assert Rules(option | {name: "deny"}).action("edit", [text]) == "deny"


@bounded
@given(OPTIONS, PERMISSION, TEXTS)
def test_an_added_rule_changes_only_the_permissions_it_matches(
    option: dict[str, Any], permission: str, text: str
) -> None:
    before = Rules(option).action(permission, [text])
    after = Rules(option | {"nb*": "allow"}).action(permission, [text])
    assert after == before or permission == "nb_python"


@pytest.mark.parametrize("rules", [{"edit": "allow", "write": "deny"}, {"write": "deny", "*": "allow"}])
@pytest.mark.parametrize("tool", [tool for tool, permission in PERMISSION_OF.items() if permission == "edit"])
def test_a_deny_for_an_edit_tool_denies_the_edit_permission(rules: dict[str, str], tool: str) -> None:
    named = {tool if name == "write" else name: rule for name, rule in rules.items()}
    for items in permutations(named.items()):
        assert Rules(dict(items)).action("edit", ["a.py"]) == "deny"


@pytest.mark.parametrize(
    ("option", "permission", "text", "expected"),
    [
        ({"bash": {"git *": "allow", "*": "ask"}}, "bash", "git status", "allow"),
        ({"bash": {"git *": "allow", "*": "ask"}}, "bash", "rm x", "ask"),
        ({"bash": {"git *": "allow", "*": "deny", "git push *": "deny"}}, "bash", "git push -f", "deny"),
        ({"bash": {"git *": "deny", "git status": "allow"}}, "bash", "git status", "deny"),
        ({"bash": {"git *": "allow"}, "*": "deny"}, "bash", "rm x", "deny"),
        ({"*": "deny", "read": "allow"}, "read", "a", "allow"),
        ({"*": "deny", "read": "allow"}, "webfetch", "a", "deny"),
        ({"nb*": "deny", "nb_python": "allow"}, "nb_python", "*", "deny"),
        ({"python": "deny", "*": "allow"}, "nb12345678_run_cell", "*", "deny"),
        ({"python": "ask", "run_cell": "allow"}, "nb12345678_run_cell", "*", "ask"),
        ({"python": "deny", "*": "allow"}, "nb12345678_edit_cell", "*", "allow"),
        ({"nb*": "deny"}, "notebook", "*", None),
        ({"shell": "deny", "bash": "allow"}, "bash", "ls", "deny"),
        ({"bash": {"ls [ab]": "deny"}}, "bash", "ls a", None),
    ],
)
def test_the_strictest_match_wins_and_a_bare_star_is_the_fallback(
    option: dict[str, Any], permission: str, text: str, expected: str | None
) -> None:
    assert Rules(option).action(permission, [text]) == expected


@pytest.mark.parametrize(
    ("text", "pattern", "fits"),
    [
        ("git", "git *", True),
        ("git push x", "git *", True),
        ("gitx", "git *", False),
        ("src/a.py", "*.py", True),
        ("a\nb", "a*", True),
        ("a[1]", "a[1]", True),
        ("a1", "a?", True),
        (r"src\a.py", "src/*", True),
    ],
)
def test_patterns_match_as_they_do_on_the_server(text: str, pattern: str, fits: bool) -> None:
    assert matches(text, pattern) is fits


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("bsh", "bash"),
        ("edti", "edit"),
        ("Bash", "bash"),
        ("wirte", "write"),
        ("web_fetch", "webfetch"),
        ("wrote", "write"),
    ],
)
def test_a_misspelt_tool_name_raises_with_a_suggestion(name: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"there is no '{name}'. Did you mean '{meant}'"):
        Policy({name: "deny"})


@pytest.mark.parametrize("name", ["deploy", "lint", "github_create_issue", "nb_bash", "bash2", "b*", "batch"])
def test_custom_tool_names_are_not_reported_as_misspelt(name: str) -> None:
    assert misspelt(name) == ""
    assert (name in Rules({name: "deny"}).unknown) is ("*" not in name)


# --- what a session is told -------------------------------------------------------------------------------------------


def rule(permission: str, pattern: str, action: str) -> Json:
    return {"permission": permission, "pattern": pattern, "action": action}


ALLOWED = [rule("*", "*", "allow"), rule("question", "*", "deny"), rule("question", "*", "allow")]
PLAN = [*ALLOWED, rule("edit", "*", "deny"), rule("edit", ".opencode/plans/*.md", "allow")]


def effect(rules: list[Json], permission: str, text: str = "x") -> str:
    """As the server evaluates them."""
    found = [r for r in rules if matches(permission, r["permission"]) and matches(text, r["pattern"])]
    return str(found[-1]["action"]) if found else "ask"


def in_child(rules: list[Json], permission: str, text: str = "x") -> str:
    """In a subagent's session, which takes over the rules that deny."""
    return effect([*ALLOWED, *(r for r in rules if r["action"] == "deny")], permission, text)


def told(option: Any, agent: list[Json], standing: list[Json] | None = None, **more: Any) -> list[Json]:
    standing = standing or []
    return [*standing, *session_rules(Policy(option), configured=False, agent=agent, standing=standing, **more)]


def action(rules: list[Json], permission: str, text: str) -> str:
    """Return what the server does: the last rule that matches counts."""
    fitting = (rule for rule in rules if matches(permission, rule["permission"]) and matches(text, rule["pattern"]))
    return str([rule["action"] for rule in fitting][-1])


@pytest.mark.parametrize(
    ("option", "configured", "expected"),
    [
        ("ask", "ask", "allow"),
        ("allow", "ask", "allow"),
        ({"edit": "allow"}, "ask", "allow"),
        ("ask", "deny", "deny"),
        ("deny", "ask", "ask"),
        ({"external_directory": "deny"}, "ask", "ask"),
        ({"external_directory": {"/data/secret/*": "deny"}}, "ask", "ask"),
    ],
)
def test_more_directories_are_allowed_unless_a_rule_comes_first(option: Any, configured: str, expected: str) -> None:
    """What is asked then is answered by the policy; the rules do not change from turn to turn."""
    agent = [{"permission": "external_directory", "pattern": "*", "action": configured}]
    first = told(option, agent, directories=["/data"])
    assert action([*agent, *first], "external_directory", "/data/tables/*") == expected
    assert action([*agent, *first], "external_directory", "/database/*") != "allow"
    assert told(option, agent, first, directories=["/data"]) == first
    assert action([*agent, *told(option, agent, first)], "external_directory", "/data/tables/*") != "allow"


@bounded
@given(st.lists(st.tuples(OPTIONS | ACTIONS, st.sampled_from(["build", "plan"])), min_size=1), PERMISSION, TEXTS)
def test_a_turn_uses_its_own_rules_not_those_of_earlier_turns(
    turns: list[tuple[Any, str]], permission: str, text: str
) -> None:
    """What the policy names is asked or denied; what the agent denies is denied; the rest is as the agent has it."""
    standing: list[Json] = []
    for option, name in turns:
        agent = PLAN if name == "plan" else ALLOWED
        standing = told(option, agent, standing)
        assert told(option, agent, standing) == standing, "the same is told again"
        policy, own = Policy(option), effect(agent, permission, text)
        found = effect([*agent, *standing], permission, text)
        is_named = any(matches(permission, named) for named in policy.names(configured=False))
        if own == "deny" or (is_named and permission in UNASKED and policy.denies_all(permission)):
            assert found == "deny"
        else:
            assert found == ("ask" if is_named else own)


@bounded
@given(OPTIONS, PERMISSION, TEXTS)
def test_a_subagent_is_denied_whatever_a_rule_names_but_does_not_allow(
    option: dict[str, Any], permission: str, text: str
) -> None:
    policy = Policy(option)
    named = any(matches(permission, name) for name in policy.names(configured=False))
    said = strictest([policy.rules.action(permission, [text]) if policy.rules else None]) or "ask"
    if named and said != "allow":
        assert in_child(told(option, ALLOWED), permission, text) == "deny"
    if "*" not in option and not named:
        assert in_child(told(option, ALLOWED), permission, text) == effect(ALLOWED, permission, text)


def test_rules_set_by_another_client_stay_in_the_session() -> None:
    given_before = [rule("bash", "*", "deny"), rule("edit", "secret.txt", "deny")]
    standing = told({"bash": "allow", "edit": "allow"}, ALLOWED, given_before)
    assert standing[:3] == [*given_before, MARK]
    assert effect([*ALLOWED, *standing], "bash") == "deny"
    assert effect([*ALLOWED, *standing], "edit", "secret.txt") == "deny"
    assert effect([*ALLOWED, *standing], "edit", "other.txt") == "ask"


@pytest.mark.parametrize("option", ["ask", "edits"])
@pytest.mark.parametrize(
    ("agent", "notebook", "plan"),
    [(ALLOWED, "ask", "allow"), (PLAN, "deny", "allow"), ([*PLAN, rule("edit", "*", "allow")], "ask", "allow")],
)
def test_edits_of_files_that_a_tool_is_for_are_asked_about_unless_denied(
    option: str, agent: list[Json], notebook: str, plan: str
) -> None:
    kept = Kept(("*.ipynb",), ("a.ipynb", "*/a.ipynb"))

    def added(standing: list[Json]) -> list[Json]:
        more = session_rules(Policy(option), configured=option == "ask", agent=agent, standing=standing, kept=kept)
        return [*standing, *more]

    first = added([])
    assert added(first) == first
    assert effect([*agent, *first], "edit", "lab/a.ipynb") == notebook
    assert effect([*agent, *first], "edit", ".opencode/plans/x.md") == ("ask" if option == "edits" else plan)
    assert in_child(first, "edit", "lab/a.ipynb") == "deny"
    after = [*first, *session_rules(Policy("ask"), configured=True, agent=agent, standing=first)]
    own = effect(agent, "edit", "lab/a.ipynb")
    assert effect([*agent, *after], "edit", "lab/a.ipynb") == own


def test_a_custom_tool_named_in_a_rule_is_denied_unless_allowed() -> None:
    for option, action in (("deny", "deny"), ("ask", "deny"), ("allow", "ask")):
        assert effect(told({"deploy": option}, ALLOWED, own=["deploy"]), "deploy") == action
    assert effect([*ALLOWED, *told("ask", ALLOWED, own=["deploy"])], "deploy") == "allow"


# --- what a request is about ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["secret.txt", "lab/secret.txt", "{root}/lab/secret.txt", "link.txt", "sec*"])
def test_a_rule_matches_a_file_by_any_spelling_of_its_path(tmp_path: Path, pattern: str) -> None:
    directory = tmp_path / "lab"
    directory.mkdir()
    (directory / "secret.txt").touch()
    (directory / "link.txt").symlink_to("secret.txt")
    rules = Rules({"edit": {pattern.format(root=tmp_path): "deny", "*": "allow"}})
    asked = {"permission": "edit", "patterns": ["lab/link.txt"], "metadata": {}}
    found = [rules.action("edit", texts) for texts in subjects(asked, Place(tmp_path, directory))]
    assert found == ["deny"]


def test_a_rule_applies_to_the_path_a_patch_moves_a_file_to() -> None:
    files = [{"filePath": "/p/a", "movePath": "/p/.git/hooks/post-checkout"}]
    asked = {"permission": "edit", "patterns": ["a"], "metadata": {"files": files}}
    rules = Rules({"edit": {".git/*": "deny", "*": "allow"}})
    found = [rules.action("edit", texts) for texts in subjects(asked, Place(Path("/p"), Path("/p")))]
    assert found == ["allow", "deny"]


def test_an_approval_covers_only_its_own_patterns() -> None:
    approvals = Approvals()
    asked = {"permission": "bash", "patterns": ["git status"], "always": ["git status *"]}
    assert not approvals.cover(asked)
    approvals.add(asked)
    assert approvals.cover(asked)
    assert approvals.cover({**asked, "patterns": ["git status -s"]})
    assert not approvals.cover({**asked, "patterns": ["git status", "rm x"]})
    assert not approvals.cover({**asked, "permission": "edit"})
    assert not approvals.cover({**asked, "patterns": []})


@pytest.mark.parametrize("tool", [*CELL_CHANGES, "run_cell", "python", "edit"])
def test_an_approval_for_a_turn_covers_its_changes_to_cells_only(tool: str) -> None:
    approvals = Approvals()
    edit = {"permission": "nb01234567_edit_cell", "patterns": ["*"], "always": ["*"]}
    approvals.remember("turn", edit, "msg_1")
    asked = {**edit, "permission": tool if tool == "edit" else f"nb01234567_{tool}"}
    assert approvals.cover(asked, "msg_1") is (tool in CELL_CHANGES)
    assert not approvals.cover(asked, "msg_2")
    assert not approvals.cover(asked)
    assert not approvals.given
