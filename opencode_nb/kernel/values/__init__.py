"""Tell a model what the kernel's values are: bounded, by privacy level, without secrets. Never imports a library."""
