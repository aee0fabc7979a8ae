"""Changed files in every medium, and the live page on which a person reviews them."""
