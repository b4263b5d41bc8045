"""What commands do beside the daemon, by reading the disk and leaving requests on it.

Each command imports the module that it needs: status, find, follow, submit, retry, doctor, init.
"""
