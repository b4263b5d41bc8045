"""The work of the commands: they read files of the daemon and write requests for it.

Each command imports only the module that it needs: status, find, follow, submit, retry, doctor or
init.
"""
