"""The speed of the engine on this machine, compared with a plain implementation.

`run` makes the measurements. Each contestant runs in a process, `contestant`: `plain`, the plain
loop; `ours`, the engine; `ceiling`, the best possible speed of the machine. `report` prints them.
"""
