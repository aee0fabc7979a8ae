"""Run a notebook from the top in a fresh kernel, and report by cell what raises, differs or is hidden."""
