"""A whole conversation on the live page, with the docks below it."""
