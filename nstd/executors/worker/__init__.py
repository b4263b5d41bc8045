"""Inside the process that runs attempts: decode the inputs, call the backend, keep the result.

Only here, and in the backends, are pictures handled.
"""
