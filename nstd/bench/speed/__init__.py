"""How fast the engine is on this machine, beside the loop that everybody writes first.

`run` asks, `contestant` is the process of one of those that are asked, `plain` the loop, `ours` the
engine, `ceiling` what the machine could do at best; `report` says it.
"""
