"""%opencode, %%opencode-style cell magics: parse, one call, display. Loaded by `%load_ext opencode_nb`."""
