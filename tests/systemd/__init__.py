"""The units under a real systemd, in a Debian that boots in a folder: `pytest -m systemd`."""
