"""Bounds for code that may hang, print, or take the main thread away: time, silence, threads."""
