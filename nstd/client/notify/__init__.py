"""Sends the notices that the daemon has written: as email, and to a webhook."""
