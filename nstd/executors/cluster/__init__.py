"""Attempts on the nodes of a Ray cluster.

daemon (executor) -> channel -> driver process (driver, remote_worker) -> Ray -> actors (node)

Ray is imported only in the driver process, a child of the daemon. So the daemon survives whatever
Ray does to its process, such as replacing signal handlers or ending it when the head is lost.
"""
