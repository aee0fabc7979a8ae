"""Recordings of turns: the file, what a prompt is found by, what is kept of a turn. Knows no server and no session."""
