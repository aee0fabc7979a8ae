"""Turn Markdown into HTML, whole or while it is being written."""
