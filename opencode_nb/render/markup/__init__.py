"""Build HTML from text: escaping, styles, highlighting, terminal colours, and operations that patch a page."""
