"""The public face against its record: no name, member or signature changes by accident."""

from __future__ import annotations

import json

from tests.support.public_face import RECORDED, Face, public_face

RECORD: Face = json.loads(RECORDED.read_text(encoding="utf-8"))
NOW = public_face()
HOW_TO_RECORD = "record it if you mean it: python -m tests.support.public_face"


def test_no_public_name_is_gone_or_new() -> None:
    assert sorted(NOW) == sorted(RECORD), HOW_TO_RECORD


def test_no_signature_has_changed() -> None:
    changed = {
        name: (entry["kind"] + entry["signature"], NOW[name]["kind"] + NOW[name]["signature"])
        for name, entry in RECORD.items()
        if name in NOW and (NOW[name]["kind"], NOW[name]["signature"]) != (entry["kind"], entry["signature"])
    }
    assert changed == {}, HOW_TO_RECORD


def test_no_docstring_is_gone() -> None:
    assert [name for name, entry in RECORD.items() if entry["doc"] and not NOW.get(name, {}).get("doc")] == []
