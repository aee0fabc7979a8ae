from __future__ import annotations

import json
import keyword
from pathlib import Path
from typing import Any

import pytest

from opencode_nb.api import generate, quirks
from opencode_nb.api.spec import Row, compile_table, python_name

PINNED = json.loads(generate.TABLE.read_text(encoding="utf-8"))
ROWS: dict[str, Row] = {row["id"]: row for row in PINNED["operations"]}


def test_the_pinned_table_has_every_operation_once() -> None:
    assert PINNED["version"] == "1.18.33"
    assert len(PINNED["operations"]) == len(ROWS) == 188
    assert len({row["name"] for row in ROWS.values()}) == 188
    assert len({(row["method"], row["path"]) for row in ROWS.values()}) == 188


def test_the_pinned_table_matches_the_program(opencode_program: Path, tmp_path: Path) -> None:
    assert generate.main(["--program", str(opencode_program), "--output", str(tmp_path)]) == 0
    assert (tmp_path / generate.TABLE.name).read_text(encoding="utf-8") == generate.TABLE.read_text(encoding="utf-8")


def test_a_missing_program_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--program", str(tmp_path / "missing"), "--output", str(tmp_path)]) == 1
    assert "cannot get the OpenAPI document" in capsys.readouterr().err


def test_every_name_is_a_python_identifier() -> None:
    for row in ROWS.values():
        names = [*row["name"].split("."), *(param["name"] for param in row["params"])]
        assert all(name.isidentifier() and not keyword.iskeyword(name) for name in names), row["name"]
        assert len({param["name"] for param in row["params"]}) == len(row["params"]), row["name"]


@pytest.mark.parametrize(
    ("id_", "name"),
    [
        ("global.config.get", "global_.config.get"),
        ("pty.connectToken", "pty.connect_token"),
        ("session.prompt_async", "session.prompt_async"),
        ("experimental.console.listOrgs", "experimental.console.list_orgs"),
        ("x.import", "x.import_"),
        ("v2.fs.read", "v2.fs.read"),
    ],
)
def test_operation_ids_become_dotted_names(id_: str, name: str) -> None:
    assert python_name(id_) == name


def params(id_: str, into: str | None = None) -> dict[str, Any]:
    return {param["name"]: param for param in ROWS[id_]["params"] if into in (None, param["into"])}


def test_the_body_wins_over_the_query_for_one_name() -> None:
    both = {id_ for id_, row in ROWS.items() if "routed" in row}
    assert both == {"worktree.remove", "worktree.reset", "sync.replay"}
    for id_ in both:
        assert ROWS[id_].get("routed") == ["directory"]
        assert params(id_)["directory"]["into"] == "body"


def test_operations_that_take_a_whole_body() -> None:
    whole = {id_ for id_, row in ROWS.items() if row.get("body") == "whole"}
    assert whole == {"auth.set", "part.update", "sync.history.list", "tui.publish", "tui.control.response"}


def test_kinds_follow_the_response_type() -> None:
    kinds: dict[str, set[str]] = {}
    for id_, row in ROWS.items():
        kinds.setdefault(row["kind"], set()).add(id_)
    assert kinds.pop("json")
    assert kinds == {
        "sse": {"event.subscribe", "global.event", "v2.event.subscribe", "v2.session.events"},
        "text": {"vcs.diff.raw"},
        "bytes": {"v2.fs.read"},
        "websocket": {"pty.connect", "v2.pty.connect"},
    }


def test_file_paths_and_locations_become_arguments() -> None:
    assert list(params("v2.fs.read", "path")) == ["path"]
    assert params("v2.pty.connect")["location"]["deep"] is True
    assert params("v2.fs.list")["location"]["deep"] is True


def test_names_invalid_in_python_keep_their_wire_name() -> None:
    assert params("config.update")["schema"]["wire"] == "$schema"


def test_requests_that_cost_money_are_never_retried() -> None:
    never = {id_ for id_, row in ROWS.items() if row["repeat"] == "never"}
    assert never == quirks.STARTS_A_TURN | quirks.TAKES_AWAY
    assert {row["method"] for row in ROWS.values() if row["repeat"] == "always"} == {"GET", "PUT", "DELETE"}


def test_every_quirk_is_about_an_operation_that_exists() -> None:
    named = {
        *quirks.PATHS,
        *quirks.HEADERS,
        *quirks.WEBSOCKETS,
        *quirks.STARTS_A_TURN,
        *quirks.TAKES_AWAY,
        *quirks.ANSWERS_WHEN_DONE,
        *quirks.STATEMENTS,
    }
    assert named <= set(ROWS)


def test_types_are_rendered_as_text() -> None:
    prompt = params("session.prompt_async")
    assert prompt["model"]["type"] == "{providerID: str, modelID: str}"
    assert prompt["parts"]["required"] is True
    assert params("permission.reply")["reply"]["type"] == '"once" | "always" | "reject"'
    assert ROWS["session.list"]["returns"] == "list[Session]"
    assert ROWS["session.prompt_async"]["returns"] == "None"
    assert params("experimental.workspace.warp")["id"]["nullable"] is True


def test_a_document_with_surprises_compiles() -> None:
    document = {
        "paths": {
            "/thing/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": True}],
                "get": {"operationId": "thing.get", "responses": {}},
                "trace": {"operationId": "thing.trace"},
                "post": {
                    "operationId": "thing.class",
                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}},
                    "responses": {"201": {"content": {"application/json": {"schema": {"type": ["string", "null"]}}}}},
                },
            }
        },
        "components": {
            "schemas": {
                "A": {"$ref": "#/components/schemas/B"},
                "B": {"properties": {"from": {"const": 1}, "x-y": {"oneOf": [{"type": "null"}, {"enum": ["a"]}]}}},
                "C": {"$ref": "#/components/schemas/C"},
            }
        },
    }
    rows = {row["id"]: row for row in compile_table(document)}
    assert set(rows) == {"thing.get", "thing.class"}
    assert rows["thing.class"]["name"] == "thing.class_"
    assert rows["thing.class"]["returns"] == "str | None"
    assert [(p["name"], p.get("wire"), p["type"]) for p in rows["thing.class"]["params"]] == [
        ("id", None, "str"),
        ("from_", "from", "1"),
        ("xy", "x-y", 'None | "a"'),
    ]


def test_anything_but_an_openapi_document_is_refused() -> None:
    with pytest.raises(ValueError, match="not an OpenAPI document"):
        compile_table({"openapi": "3.1.0"})
