"""One turn in every medium: live page, saved notebook, Markdown, plain text and terminal."""
