"""Attempts on the nodes of a Ray cluster.

daemon (executor) -> channel -> driver process (driver, seat) -> Ray -> actors on nodes (node)

Ray is imported in the driver process alone, a child of the daemon: whatever Ray does to its
process, such as replacing signal handlers or ending it when the head is gone, the daemon stays.
"""
