"""The magics `%%prompt` and `%opencode`: parse, make one call, display. Loaded by `%load_ext opencode_nb`."""
