"""Fuzzing of what strangers hand in: `python -m tests.fuzz sidecar|config|image`."""
