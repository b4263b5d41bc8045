"""Access to the operating system: durable files, reading without following links, child processes,
locks, /proc, and the layout of a root. Nothing here depends on jobs.
"""
