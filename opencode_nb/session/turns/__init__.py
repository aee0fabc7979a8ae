"""Turns on their way: their options, sending and following them, stopping them, sending them again."""
