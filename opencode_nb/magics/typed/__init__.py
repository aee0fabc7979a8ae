"""Read what a user typed into a magic: its words, its body, the place of the cursor. Pure."""
