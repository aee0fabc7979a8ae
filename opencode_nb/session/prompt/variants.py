"""The variants of a model, such as its reasoning efforts: in a model's name, by their own name, or by effort. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from opencode_nb.closest import did_you_mean

EFFORTS = ("none", "low", "medium", "high", "max")
"""What `effort=` takes."""

_SCALE = ("minimal", "low", "medium", "high", "xhigh", "max")
"""Names of variants that are efforts, in their order."""


class Wish(NamedTuple):
    """The variant that a prompt asks for: by name, else by effort. An `optional` name counts if the model has it."""

    variant: str | None = None
    effort: str | None = None
    optional: bool = False

    def of(self, variants: Sequence[str]) -> str | None:
        """Return which of a model's variants is meant; None for the model's own default."""
        return self.variant if self.variant in variants else of_effort(self.effort, variants)

    def problem(self, model: str, variants: Sequence[str]) -> str:
        """Say why the variant cannot be used with this model; "" if it can."""
        wrong = self.variant and not self.optional and self.variant not in variants
        return unknown(model, str(self.variant), variants) if wrong else ""

    def unmet(self, model: str, variants: Sequence[str]) -> str:
        """Say that the model has no variant for the effort; "" if it has one, or needs none."""
        if self.effort in (None, "none") or self.of(variants):
            return ""
        others = f"only the variants {', '.join(variants)}" if variants else "no variants"
        return f"{model} has {others}: effort={self.effort} has no effect on it."


def checked_effort(effort: str | None) -> str | None:
    """Return the effort, None for "". Raises ValueError for one that does not exist."""
    if effort and effort not in EFFORTS:
        meant = did_you_mean(str(effort), EFFORTS)
        raise ValueError(f"There is no effort {effort!r}.{meant} Use one of: {', '.join(EFFORTS)}.")
    return effort or None


def of_effort(effort: str | None, variants: Sequence[str]) -> str | None:
    """Return the variant of this name, else the nearest effort; None if the model has none.

    Of two that are equally near, the lower one, which costs less. "none" has no near ones: it means no variant.
    """
    if effort in variants:
        return effort
    known = [name for name in _SCALE if name in variants]
    if not known or effort not in _SCALE:
        return None
    return min(known, key=lambda name: abs(_SCALE.index(name) - _SCALE.index(effort)))


def splits(name: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to read "provider/model/variant" as a model and a variant: the longest model first."""
    model, variant = name, ""
    while model:
        yield model, variant
        model = model.rpartition("/")[0]
        variant = name[len(model) + 1 :]


def unknown(model: str, variant: str, variants: Sequence[str]) -> str:
    """Say that the model does not have this variant, and which it has."""
    if not variants:
        return f"{model} has no variants: leave out {variant!r}."
    return f"{model} has no variant {variant!r}.{did_you_mean(variant, variants)} Its variants: {', '.join(variants)}."
