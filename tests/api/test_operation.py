from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from opencode_nb.api import operation
from opencode_nb.api.client import AsyncClient, Client
from opencode_nb.api.operation import Call, Defaults, bind

CLIENT = AsyncClient("http://127.0.0.1:1", password="hush-hush", directory="/somewhere/größe", workspace="wrk_1")
ROWS = {row["name"]: row for row in CLIENT._rows}


PLACE = Defaults("/somewhere/größe")


def call(name: str, *args: Any, place: Defaults = PLACE, **kwargs: Any) -> Call:
    return bind(ROWS[name], args, kwargs, place)


def body(made: Call) -> Any:
    return None if made.content is None else json.loads(made.content)


def test_arguments_go_where_they_belong() -> None:
    made = call("session.prompt_async", "ses_1", messageID="msg_1", parts=[{"type": "text", "text": "é"}], agent=None)
    assert (made.method, made.path) == ("POST", "/session/ses_1/prompt_async")
    assert body(made) == {"messageID": "msg_1", "parts": [{"type": "text", "text": "é"}]}
    assert made.query == [("directory", "/somewhere/größe")]
    assert made.headers == {"x-opencode-directory": "%2Fsomewhere%2Fgr%C3%B6%C3%9Fe"}
    assert made.repeat == "never"


def test_the_directory_of_a_call_is_sent_as_query_and_header() -> None:
    made = call("session.list", directory="/other", roots=True, limit=5, search=None)
    assert sorted(made.query) == [("directory", "/other"), ("limit", "5"), ("roots", "true")]
    assert made.headers == {"x-opencode-directory": "%2Fother"}
    located = call("v2.fs.list", location={"directory": "/there"})
    assert located.query == [("location[directory]", "/there")]
    assert located.headers == {"x-opencode-directory": "%2Fthere"}
    assert call("v2.fs.list").query == [("location[directory]", "/somewhere/größe")]


def test_without_a_directory_none_is_sent() -> None:
    made = call("session.list", place=Defaults())
    assert (made.query, made.headers) == ([], {})


def test_a_directory_in_the_body_does_not_change_the_routing() -> None:
    made = call("worktree.remove", directory="/tree")
    assert body(made) == {"directory": "/tree"}
    assert made.query == [("directory", "/somewhere/größe")]
    assert made.headers == {"x-opencode-directory": "%2Fsomewhere%2Fgr%C3%B6%C3%9Fe"}


def test_an_object_body_is_always_sent() -> None:
    assert call("session.create").content == b"{}"
    assert call("session.abort", "ses_1").content is None
    assert call("session.list").content is None


def test_a_place_is_put_into_the_body_if_needed() -> None:
    assert body(call("v2.session.create")) == {"location": {"directory": "/somewhere/größe"}}
    assert body(call("v2.session.create", location={"directory": "/x"})) == {"location": {"directory": "/x"}}


def test_whole_bodies_are_sent_as_given() -> None:
    assert body(call("auth.set", "openai", body={"type": "api", "key": "k"})) == {"type": "api", "key": "k"}
    assert call("tui.control.response", body=None).content == b"null"


def test_null_is_sent_for_nullable_fields() -> None:
    assert body(call("experimental.workspace.warp", id=None, sessionID="s")) == {"id": None, "sessionID": "s"}


def test_extra_arguments_are_sent() -> None:
    made = call(
        "session.create",
        title="t",
        extra_body={"later": {"x": None}},
        extra_query={"flag": True, "many": [1, 2], "none": None},
        extra_headers={"x-own": "1"},
        timeout=5,
        raw=True,
    )
    assert body(made) == {"title": "t", "later": {"x": None}}
    assert [pair for pair in made.query if pair[0] != "directory"] == [("flag", "true"), ("many", "1"), ("many", "2")]
    assert made.headers["x-own"] == "1"
    assert (made.timeout, made.raw) == (5, True)
    assert body(call("session.abort", "s", extra_body={"reason": "x"})) == {"reason": "x"}


def test_an_extra_argument_can_replace_a_required_one() -> None:
    assert body(call("session.prompt_async", "ses_1", extra_body={"parts": []})) == {"parts": []}


def test_headers_of_the_quirk_table_are_sent() -> None:
    assert call("pty.connect_token", "pty_1").headers["x-opencode-ticket"] == "1"


def test_wire_names_are_sent() -> None:
    assert body(call("config.update", schema="https://x")) == {"$schema": "https://x"}


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "message"),
    [
        ("session.create", (), {"titel": "x"}, r"no argument 'titel'; did you mean 'title'\?"),
        ("session.prompt_async", ("s",), {"parts": [], "message_id": "m"}, "did you mean 'messageID'"),
        ("session.create", (), {"zzz": 1}, "it takes parentID, title"),
        ("session.get", (), {}, "missing 'sessionID'"),
        ("session.prompt_async", ("s",), {}, "missing 'parts'"),
        ("session.get", ("a", "b"), {}, "takes 1 positional"),
        ("session.get", ("a",), {"sessionID": "b"}, "'sessionID' twice"),
        ("event.subscribe", (), {"raw": True}, "no argument 'raw'"),
    ],
)
def test_wrong_arguments_are_a_type_error(name: str, args: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(name, *args, **kwargs)


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_an_id_cannot_address_another_operation(value: str) -> None:
    with pytest.raises(ValueError, match="needs a sessionID"):
        call("session.get", value)


def test_path_arguments_are_escaped() -> None:
    assert call("session.get", "a/../b?c#d é").path == "/session/a%2F..%2Fb%3Fc%23d%20%C3%A9"
    assert call("v2.fs.read", "/src/a b.py").path == "/api/fs/read/src/a%20b.py"


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"bytes"])
def test_values_not_in_json_are_refused_before_sending(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        call("session.create", metadata={"x": value})


def test_signatures_and_docstrings_list_the_arguments() -> None:
    signature = inspect.signature(CLIENT.session.prompt_async)
    assert list(signature.parameters)[:3] == ["sessionID", "parts", "messageID"]
    assert signature.parameters["parts"].default is inspect.Parameter.empty
    assert "model: {providerID: str, modelID: str} = None" in str(signature)
    assert str(signature).endswith("timeout=..., raw=False) -> None")
    text = inspect.getdoc(CLIENT.session.prompt_async) or ""
    assert "POST /session/{sessionID}/prompt_async" in text
    assert "messageID (str)" in text
    assert inspect.getdoc(operation.Operation)


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_every_operation_has_a_place_a_signature_and_a_docstring(row: Any) -> None:
    target: Any = CLIENT
    for name in row["name"].split("."):
        assert name in vars(target)
        target = getattr(target, name)
    assert inspect.signature(target)
    assert row["path"] in (inspect.getdoc(target) or "")


def test_an_operation_can_be_a_namespace_too() -> None:
    assert CLIENT.vcs.diff.raw.row["path"] == "/vcs/diff/raw"
    assert CLIENT.vcs.diff.row["path"] == "/vcs/diff"


def test_a_name_in_use_by_the_client_gets_an_underscore() -> None:
    rows = [{**ROWS["session.list"], "name": "copy.request"}, {**ROWS["session.list"], "name": "operations"}]
    client = AsyncClient("http://127.0.0.1:1", operations=rows)
    assert callable(client.copy_.request)
    assert callable(client.operations_)
    assert len(client.operations) == 2


@pytest.mark.parametrize("use_jedi", [True, False])
def test_tab_completes_in_ipython(use_jedi: bool) -> None:
    shell = InteractiveShell(config=Config(HistoryManager={"hist_file": ":memory:"}))
    shell.Completer.use_jedi = use_jedi
    shell.user_ns["client"] = Client("http://127.0.0.1:1")
    with provisionalcompleter():
        found = {item.text for item in shell.Completer.completions("client.session.pro", 18)}
    assert {"prompt", "prompt_async"} <= {text.rpartition(".")[2] for text in found}


def test_nothing_shows_the_password() -> None:
    shown = [repr(CLIENT), repr(CLIENT.session), repr(CLIENT.session.create), str(CLIENT.operations[0])]
    assert not [text for text in shown if "hush" in text]
    assert repr(CLIENT).startswith("<AsyncClient http://127.0.0.1:1 directory='/somewhere/größe'")
    with_user = AsyncClient("http://me:hush-hush@127.0.0.1:1/")
    assert with_user.base_url == "http://127.0.0.1:1"
    with pytest.raises(ValueError, match="must look like") as caught:
        AsyncClient("ftp://me:hush-hush@host")
    assert "hush" not in str(caught.value)


def test_a_copy_keeps_unchanged_settings() -> None:
    copied = CLIENT.copy(directory="/other", base_url="http://127.0.0.1:2")
    assert (copied.base_url, copied.directory) == ("http://127.0.0.1:2", "/other")
    assert CLIENT.directory == "/somewhere/größe"


def test_the_wrong_kind_of_http_client_is_refused() -> None:
    with pytest.raises(TypeError, match=r"httpx\.AsyncClient"):
        Client("http://127.0.0.1:1", http_client=object())  # type: ignore[arg-type]
