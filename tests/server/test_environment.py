"""How the server's environment is built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from opencode_nb.server.environment import (
    CONFIG,
    PASSWORD,
    PERMISSION,
    USERNAME,
    merged,
    server_environment,
    server_key,
    shared_environment,
)


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": "ask"}, {"a": "ask"}),
        ({"a": "ask"}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": 1}, {"a": None}, {"a": None}),
    ],
)
def test_configurations_are_merged_by_key(
    base: dict[str, object], over: dict[str, object], result: dict[str, object]
) -> None:
    before = json.dumps(base)
    assert merged(base, over) == result
    assert json.dumps(base) == before


def test_the_last_configuration_wins() -> None:
    environ = server_environment({CONFIG: '{"a": 1, "b": 1, "c": 1}'}, None, {"b": 2, "c": 2}, None, {"c": 3})
    assert json.loads(environ[CONFIG]) == {"a": 1, "b": 2, "c": 3}


HIDING = {"nb*": "deny"}


@pytest.mark.parametrize(
    ("given", "merged"),
    [
        ("ask", {"*": "ask", **HIDING}),
        ("allow", {"*": "allow", **HIDING}),
        ({"edit": "ask"}, {"edit": "ask", **HIDING}),
        ({"nb*": "allow", "*": "deny"}, {"*": "deny", **HIDING}),
        ({}, HIDING),
    ],
)
def test_hiding_the_tools_of_kernels_keeps_inherited_rules(given: object, merged: object) -> None:
    assert json.loads(server_environment({PERMISSION: json.dumps(given)}, None)[PERMISSION]) == merged


@pytest.mark.parametrize("inherited", ["", "not JSON"])
def test_the_tools_of_kernels_are_hidden_without_rules_of_the_user_s(inherited: str) -> None:
    assert json.loads(server_environment({PERMISSION: inherited}, None)[PERMISSION]) == HIDING


def test_configuration_in_env_is_merged_too() -> None:
    environ = server_environment({CONFIG: '{"a": 1}'}, {CONFIG: '{"b": 1}'}, {"c": 1})
    assert json.loads(environ[CONFIG]) == {"b": 1, "c": 1}


def test_inherited_configuration_is_unchanged_without_another_one() -> None:
    text = "{ // the user's own words\n}"
    assert server_environment({CONFIG: text}, None, None)[CONFIG] == text


def test_passwords_are_random_and_inherited_ones_are_replaced() -> None:
    environs = [server_environment({PASSWORD: "inherited", USERNAME: "somebody"}, None) for _ in range(2)]
    assert environs[0][PASSWORD] != environs[1][PASSWORD]
    assert all(len(environ[PASSWORD]) >= 32 and environ[USERNAME] == "opencode" for environ in environs)


def test_a_password_in_env_is_kept() -> None:
    assert server_environment({}, {PASSWORD: "given", USERNAME: "me"})[PASSWORD] == "given"


@pytest.mark.parametrize(
    ("environ", "excepted"),
    [
        ({"HTTP_PROXY": "http://p"}, "localhost,127.0.0.1,::1,[::1]"),
        (
            {"https_proxy": "http://p", "NO_PROXY": "corp.example, 10.0.0.1"},
            "corp.example,10.0.0.1,localhost,127.0.0.1",
        ),
        ({"ALL_PROXY": "socks5://p", "no_proxy": "a", "NO_PROXY": "b,a"}, "a,b,localhost"),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "*"}, "*"),
        ({"HTTP_PROXY": "http://p", "no_proxy": "127.0.0.1"}, "127.0.0.1,localhost,::1"),
    ],
)
@pytest.mark.parametrize("given", [False, True])
def test_loopback_is_excluded_from_proxies(environ: dict[str, str], excepted: str, given: bool) -> None:
    result = server_environment({} if given else environ, environ if given else None)
    assert result["NO_PROXY"].startswith(excepted)
    assert result["no_proxy"] == result["NO_PROXY"]


def test_without_a_proxy_no_exclusion_is_set() -> None:
    assert not {"NO_PROXY", "no_proxy"} & server_environment({"HTTP_PROXY": ""}, None).keys()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "opencode"
    path.write_text("the program")
    return path


def key(program: Path, environ: dict[str, str], env: dict[str, str] | None = None, config: object = None) -> str:
    return server_key(program, server_environment(shared_environment(environ), env, config), env)


def test_variables_of_one_kernel_do_not_change_the_key(program: Path) -> None:
    own = {
        "JPY_SESSION_NAME": "a.ipynb",
        "JPY_PARENT_PID": "1",
        "PWD": "/a",
        "TERM": "xterm",
        "COLUMNS": "80",
        "_": "x",
    }
    assert shared_environment({**own, "HOME": "/home/me"}) == {"HOME": "/home/me"}
    assert key(program, {**own, "HOME": "/home/me"}) == key(program, {"HOME": "/home/me"})
    assert key(program, {PASSWORD: "inherited"}) == key(program, {PASSWORD: "another"})


def test_every_other_difference_changes_the_key(program: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(program)
    keys = [
        key(program, {}),
        key(program, {"OPENAI_API_KEY": "a"}),
        key(program, {"OPENAI_API_KEY": "b"}),
        key(program, {"XDG_DATA_HOME": "/data"}),
        key(program, {}, {"A": "b"}),
        key(program, {}, {PASSWORD: "given"}),
        key(program, {}, None, {"share": "disabled"}),
        key(program, {CONFIG: '{"share": "auto"}'}, None, {"share": "disabled"}),
    ]
    assert key(link, {}) == keys[0]
    program.write_text("another version")
    keys.append(key(program, {}))
    assert len(set(keys)) == len(keys) - 1  # the last two configurations are equal after merging
    with pytest.raises(FileNotFoundError):
        key(tmp_path / "nowhere", {})


def test_other_flags_are_another_server(program: Path) -> None:
    environment = server_environment({}, None)
    plain = server_key(program, environment, None)
    assert plain == server_key(program, environment, None, [])
    assert plain != server_key(program, environment, None, ["--pure"])
