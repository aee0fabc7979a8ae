"""Frames and arrays of libraries: columns, aggregates, first rows. Imports no library: only what is loaded is known."""
