"""Where a cell's output goes, and what is shown there while a magic works."""
