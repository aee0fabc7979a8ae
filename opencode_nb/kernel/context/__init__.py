"""What a prompt carries of the user's kernel: mentions, values in its text, and a note of what changed."""
