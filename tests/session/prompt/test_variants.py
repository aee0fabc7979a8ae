"""Which variant of a model a name or an effort means, and what a prompt needs of its model."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencode_nb.session.prompt import preflight
from opencode_nb.session.prompt.variants import EFFORTS, Wish, checked_effort, of_effort, splits, unknown

ALL = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]


@pytest.mark.parametrize(
    ("effort", "variants", "meant"),
    [
        *((effort, ALL, effort) for effort in EFFORTS),
        ("max", ["low", "xhigh", "high"], "xhigh"),
        ("max", ["high", "low"], "high"),
        ("max", ["minimal", "low"], "low"),
        ("low", ["high", "max"], "high"),
        ("high", ["low", "medium"], "medium"),
        ("medium", ["high", "low"], "low"),
        ("low", ["none", "max"], "max"),
        ("none", ["low", "high"], None),
        ("high", ["none"], None),
        ("high", ["fast", "deep"], None),
        ("high", [], None),
        (None, ALL, None),
    ],
)
def test_an_effort_means_the_variant_of_its_name_or_the_nearest(
    effort: str | None, variants: list[str], meant: str | None
) -> None:
    assert of_effort(effort, variants) == meant


@pytest.mark.parametrize(
    ("wish", "variants", "meant", "problem", "unmet"),
    [
        (Wish("fast", "high"), ["fast", "high"], "fast", "", ""),
        (Wish("hihg"), ["low", "high"], None, "demo/m has no variant 'hihg'. Did you mean high? Its variants: low", ""),
        (Wish("high"), [], None, "demo/m has no variants: leave out 'high'.", ""),
        (Wish("fast", "low", optional=True), ["low"], "low", "", ""),
        (Wish(effort="high"), [], None, "", "demo/m has no variants: effort=high has no effect on it."),
        (
            Wish(effort="high"),
            ["fast"],
            None,
            "",
            "demo/m has only the variants fast: effort=high has no effect on it.",
        ),
        (Wish(effort="none"), [], None, "", ""),
        (Wish(), ["low"], None, "", ""),
    ],
)
def test_a_wrong_variant_is_a_problem_and_an_unmet_effort_is_told(
    wish: Wish, variants: list[str], meant: str | None, problem: str, unmet: str
) -> None:
    assert wish.of(variants) == meant
    told = wish.problem("demo/m", variants)
    assert told.startswith(problem)
    assert bool(told) == bool(problem)
    assert wish.unmet("demo/m", variants) == unmet


def test_an_unknown_effort_raises_with_those_there_are() -> None:
    assert checked_effort("") is None
    with pytest.raises(
        ValueError, match=r"no effort 'hi'\. Did you mean high\? Use one of: none, low, medium, high, max"
    ):
        checked_effort("hi")


def test_a_name_is_read_with_the_longest_model_first() -> None:
    assert list(splits("p/vendor/m/high")) == [
        ("p/vendor/m/high", ""),
        ("p/vendor/m", "high"),
        ("p/vendor", "m/high"),
        ("p", "vendor/m/high"),
    ]
    assert "variants: low, high" in unknown("p/m", "x", ["low", "high"])


# --- what a prompt needs ----------------------------------------------------------------------------------------------

MODEL: dict[str, Any] = {"id": "demo/text", "input": ["text"], "context": 2000}
OTHERS = [MODEL, {"id": "demo/eyes", "input": ["text", "image"], "context": 0}]


def file(mime: str, data: bytes = b"", name: str = "a.x") -> dict[str, Any]:
    url = f"data:{mime};base64,{base64.b64encode(data).decode()}"
    return {"type": "file", "mime": mime, "filename": name, "url": url}


@pytest.mark.parametrize(
    ("mime", "says"),
    [
        ("image/png", r"demo/text does not take images: leave a\.x out or use a model that does, such as demo/eyes\."),
        (
            "audio/wav",
            r"does not take audio: leave a\.x out\. .*\"modalities\": \{\"input\": \[\"text\", \"audio\"\]\}",
        ),
        ("video/mp4", "does not take video"),
        ("application/pdf", "does not take PDF files"),
        *((mime, "^$") for mime in ("text/plain", "text/csv", "application/x-directory", "application/json")),
    ],
)
def test_media_that_a_model_does_not_take_is_a_problem(mime: str, says: str) -> None:
    assert re.search(says, preflight.problem(preflight.needs([file(mime)]), MODEL, OTHERS))


def test_a_model_that_takes_the_media_is_no_problem() -> None:
    needs = preflight.needs([{"type": "text", "text": "x" * 10_000}, file("image/png")])
    assert needs.any
    assert preflight.problem(needs, OTHERS[1], OTHERS) == ""


def test_the_picture_of_a_mentioned_variable_is_no_problem() -> None:
    """Words describe it too: they reach a model without eyes."""
    described = {"type": "text", "text": "a figure", "metadata": {"opencode_nb": {"variable": "fig", "kind": "figure"}}}
    assert not preflight.needs([described, file("image/png", name="fig.png")]).any
    assert preflight.needs([described, file("image/png", name="other.png")]).files == {"image": "other.png"}


WORDS = " ".join(f"word{number}" for number in range(4000))


@pytest.mark.parametrize(
    "parts",
    [
        [{"type": "text", "text": WORDS}],
        [{"type": "text", "text": WORDS[: len(WORDS) // 2]}, {"type": "text", "text": WORDS[len(WORDS) // 2 :]}],
        [file("text/plain", WORDS.encode())],
    ],
)
def test_a_text_far_above_the_context_is_a_problem(parts: list[dict[str, Any]]) -> None:
    needs = preflight.needs(parts)
    says = r"more than 4,\d{3} tokens, by a low estimate; the context of demo/text has 2,000\. Shorten it"
    assert re.search(says, preflight.problem(needs, MODEL, OTHERS))
    assert preflight.problem(needs, {**MODEL, "context": 0}, OTHERS) == "", "the context is not known"
    assert preflight.problem(needs, {**MODEL, "context": 200_000}, OTHERS) == ""


@pytest.mark.parametrize("text", ["=" * 100_000, " " * 100_000, WORDS[:15_000], "\n\n" + "-" * 50_000])
def test_a_text_that_may_fit_is_no_problem(text: str) -> None:
    assert preflight.problem(preflight.needs([{"type": "text", "text": text}]), MODEL, OTHERS) == ""


@given(st.text(), st.text())
def test_the_estimate_never_exceeds_the_characters(text: str, other: str) -> None:
    assert preflight.least_tokens(text + other) * preflight.CHARACTERS_PER_TOKEN <= len(text + other)
    assert preflight.needs([file("text/plain", text.encode("utf-8", "replace"))]).files == {}
