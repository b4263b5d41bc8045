"""The worker process, which runs attempts: it decodes the inputs, calls the backend, and saves the
result.

Pictures are decoded and encoded only here and in the backends.
"""
