"""Opencode, Session and Turn: send prompts, follow their turns, undo them. Knows neither IPython nor widgets."""
