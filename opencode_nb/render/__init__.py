"""Render transcripts: pure, and the only place that makes markup. See markup, markdown, diff, turn and chat."""
