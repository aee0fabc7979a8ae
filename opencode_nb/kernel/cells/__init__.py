"""The notebook's own cells, as the agent reads, changes and runs them: through an open view, never the file beneath."""
