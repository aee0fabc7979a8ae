"""Transcript to markup: pure, and the only place that makes markup. See markdown, diff, tools, page and terminal."""
