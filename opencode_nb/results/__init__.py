"""Results: what an answer must be (`schema=`), how the model is asked for it, and how it is read. Knows no session."""
