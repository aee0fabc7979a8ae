"""A whole conversation on the live page, and the docks below it."""
