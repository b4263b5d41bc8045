"""What the operating system gives: durable files, reading without following links, child processes,
locks, /proc, and the layout of a root. It knows nothing of jobs.
"""
