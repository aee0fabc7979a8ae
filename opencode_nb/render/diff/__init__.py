"""Changed files in every medium, and the live page to review them."""
