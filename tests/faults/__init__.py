"""Every fault that a watch-folder service has to live through: README.md is the index."""
