"""The names of a session's tools."""

from __future__ import annotations

import pytest

from opencode_nb.session.permissions.policy import Policy
from opencode_nb.session.permissions.rules import matches
from opencode_nb.session.permissions.session_rules import offered_rules, session_rules, taken_by
from opencode_nb.tools.names import HIDDEN, own_tool, server_name
from opencode_nb.tools.tool import Json

NAME = "nb1a2b3c4d"
TOOLS = {f"{NAME}_python": True, f"{NAME}_variables": False}


def test_a_name_is_the_session_s_own_and_hidden() -> None:
    names = {server_name(f"ses_{number}") for number in range(1000)}
    assert len(names) == 1000
    assert server_name("ses_1") == server_name("ses_1")
    assert all(matches(f"{name}_python", HIDDEN) and own_tool(f"{name}_python") == "python" for name in names)


@pytest.mark.parametrize("tool", ["python", "nb_python", "nb1a2b3c4d", "nb1a2b3c4_python", "xnb1a2b3c4d_python", ""])
def test_tools_of_others_are_none_of_ours(tool: str) -> None:
    assert own_tool(tool) == ""


@pytest.mark.parametrize(
    ("option", "python", "variables"),
    [
        ("ask", "ask", "allow"),
        ("allow", "ask", "allow"),
        ("deny", "deny", "allow"),
        ({}, "ask", "allow"),
        ({"python": "allow"}, "ask", "allow"),
        ({"python": "deny"}, "deny", "allow"),
        ({"nb*": "deny"}, "deny", "deny"),
        ({"variables": "ask", "*": "allow"}, "ask", "ask"),
        ({"python": "allow", "*": "deny"}, "ask", "deny"),
    ],
)
def test_a_policy_decides_about_tools_by_their_short_names(
    option: str | dict[str, str], python: str, variables: str
) -> None:
    """Code is never just allowed: this process has to see the request, to run what it allowed itself."""
    rules = offered_rules(Policy(option), TOOLS, "kernel 1")
    assert [(rule["permission"], rule["action"]) for rule in rules[1:]] == [
        (f"{NAME}_python", python),
        (f"{NAME}_variables", variables),
    ]


def action(rules: list[Json], tool: str) -> str:
    """Return what the server does: the last matching rule wins."""
    return str([rule["action"] for rule in rules if matches(tool, rule["permission"])][-1])


def test_rules_for_tools_are_added_once_and_taken_back() -> None:
    agent: list[Json] = [
        {"permission": "*", "pattern": "*", "action": "allow"},
        {"permission": HIDDEN, "pattern": "*", "action": "deny"},
    ]
    for option in ("ask", "allow", {"*": "ask"}, {"nb*": "allow"}):
        policy = Policy(option)
        mine = offered_rules(policy, TOOLS, "kernel 1")
        standing = session_rules(policy, configured=False, agent=agent, offered=mine)
        assert session_rules(policy, configured=False, agent=agent, offered=mine, standing=standing) == []
        assert [action(standing, tool) for tool in TOOLS] == ["ask", "ask" if option == {"*": "ask"} else "allow"]
        assert action([*agent, *standing], "nb00000000_python") == "deny"
        assert taken_by(standing) == "kernel 1"
        others = offered_rules(policy, TOOLS, "kernel 2")
        standing += session_rules(policy, configured=False, agent=agent, offered=others, standing=standing)
        assert taken_by(standing) == "kernel 2"
        standing += session_rules(policy, configured=False, agent=agent, standing=standing)
        assert {action([*agent, *standing], tool) for tool in TOOLS} == {"deny"}
