"""OpenTelemetry: traces and metrics of turns, model steps, tools and permissions. Needs the extra `opencode_nb[otel]`.

    from opencode_nb import telemetry
    stop = telemetry.instrument(ai, user="ada")

Where they go is up to the providers that your program sets up, Prometheus' among them; without one, nowhere. Names and
attributes follow OpenTelemetry's conventions for generative AI.
"""

from __future__ import annotations

from opencode_nb.telemetry.instrument import instrument

__all__ = ["instrument"]
