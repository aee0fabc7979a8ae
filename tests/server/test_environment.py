"""What the server's environment is made of."""

from __future__ import annotations

import json

import pytest

from opencode_nb.server.environment import CONFIG, PASSWORD, USERNAME, merged, server_environment


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
def test_merged(base: dict[str, object], over: dict[str, object], result: dict[str, object]) -> None:
    before = json.dumps(base)
    assert merged(base, over) == result
    assert json.dumps(base) == before


def test_last_configuration_wins() -> None:
    environ = server_environment({CONFIG: '{"a": 1, "b": 1, "c": 1}'}, None, {"b": 2, "c": 2}, None, {"c": 3})
    assert json.loads(environ[CONFIG]) == {"a": 1, "b": 2, "c": 3}


def test_configuration_given_in_env_is_merged_too() -> None:
    environ = server_environment({CONFIG: '{"a": 1}'}, {CONFIG: '{"b": 1}'}, {"c": 1})
    assert json.loads(environ[CONFIG]) == {"b": 1, "c": 1}


def test_inherited_configuration_is_left_alone_where_there_is_none_to_merge() -> None:
    text = "{ // the user's own words\n}"
    assert server_environment({CONFIG: text}, None, None)[CONFIG] == text


def test_passwords_are_random_and_inherited_ones_do_not_count() -> None:
    environs = [server_environment({PASSWORD: "inherited", USERNAME: "somebody"}, None) for _ in range(2)]
    assert environs[0][PASSWORD] != environs[1][PASSWORD]
    assert all(len(environ[PASSWORD]) >= 32 and environ[USERNAME] == "opencode" for environ in environs)


def test_password_given_in_env_is_meant() -> None:
    assert server_environment({}, {PASSWORD: "given", USERNAME: "me"})[PASSWORD] == "given"
