"""`python -m tests.story`: a folder with a recipe, told from its first day to its last.

terminal (a shell, whose commands are shown as a person would see them) <- plot (what happens, step
by step, and what must be true after each) <- photographs (fifty of them, from two packages).
"""
