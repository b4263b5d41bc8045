"""The backends that ship with nstd."""
