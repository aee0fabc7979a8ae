from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter

from opencode_nb.api.record import Record, wrap

MESSAGE: dict[str, Any] = {
    "info": {"id": "msg_1", "time": {"created": 1}, "error": None},
    "parts": [{"type": "text", "text": "hi"}, {"type": "from-the-future", "items": [1, [{"deep": True}]]}],
    "items": ["clash"],
    "unknown": {"$ref": 1, "with space": 2},
}


def fresh() -> Any:
    return wrap(json.loads(json.dumps(MESSAGE)))


def test_nested_fields_are_attributes() -> None:
    record = fresh()
    assert record.info.time.created == 1
    assert record.info.error is None
    assert record["parts"][0].text == "hi"
    assert record.parts[1]["items"][1][0].deep is True
    assert [part.type for part in record.parts] == ["text", "from-the-future"]


def test_values_are_wrapped_once() -> None:
    record = fresh()
    assert record.info is record["info"] is record.get("info")
    assert record.parts is record["parts"]
    record.info["title"] = "changed"
    assert record.to_dict()["info"]["title"] == "changed"


def test_nothing_is_changed_or_lost() -> None:
    untouched, looked_at = fresh(), fresh()
    assert next(value for _, value in looked_at.items()).id == "msg_1"
    assert next(iter(looked_at.values())).id == "msg_1"
    for record in (untouched, looked_at):
        assert record == MESSAGE
        assert record.to_dict() == MESSAGE
        assert json.loads(record.to_json()) == MESSAGE
        assert json.loads(json.dumps(record)) == MESSAGE
        assert list(record) == list(MESSAGE)


def test_to_dict_is_a_plain_deep_copy() -> None:
    record = fresh()
    plain = record.to_dict()
    assert type(plain["info"]) is dict
    assert type(plain["parts"]) is list
    assert type(plain["parts"][0]) is dict
    plain["info"]["id"] = "other"
    assert record.info.id == "msg_1"


def test_clashing_and_odd_names_need_brackets() -> None:
    record = fresh()
    assert callable(record.items)
    assert record["items"] == ["clash"]
    assert record.unknown["$ref"] == 1


def test_a_missing_field_lists_the_existing_ones() -> None:
    with pytest.raises(AttributeError, match="no field 'titel'; it has id, time, error"):
        _ = fresh().info.titel
    assert fresh().get("nothing") is None
    assert fresh().get("nothing", 3) == 3
    with pytest.raises(KeyError):
        fresh()["nothing"]


def test_attributes_are_read_only() -> None:
    with pytest.raises(AttributeError):
        fresh().title = "no"


def test_dict_methods_return_records_too() -> None:
    record = fresh()
    assert record.pop("info").id == "msg_1"
    assert record.setdefault("more", {"a": 1}).a == 1
    assert record.pop("nothing", None) is None
    assert isinstance(record.copy(), Record)
    match record:
        case {"unknown": {"with space": value}}:
            assert value == 2


def test_records_can_be_copied_and_pickled() -> None:
    for again in (copy.deepcopy(fresh()), pickle.loads(pickle.dumps(fresh()))):
        assert again == MESSAGE
        assert again.info.id == "msg_1"


def test_tab_completes_the_fields() -> None:
    assert {"info", "parts", "to_dict"} <= set(dir(fresh()))
    assert "with space" not in dir(fresh().unknown)


def test_data_cannot_act_as_a_display_method() -> None:
    record = Record(_repr_html_="<script>alert(1)</script>", _ipython_display_={}, __class__="x", _x=1)
    data, _ = DisplayFormatter().format(record)
    assert set(data) == {"text/plain"}
    assert not hasattr(record, "_repr_html_")
    assert record["_x"] == 1


def test_repr_shows_the_data() -> None:
    assert repr(Record(a={"b": 1})) == "Record({'a': {'b': 1}})"


def test_scalars_and_slices_are_kept() -> None:
    assert wrap(None) is None
    assert wrap(True) is True
    assert wrap([1, {"a": 2}])[1].a == 2
    assert fresh().parts[:1][0].text == "hi"
