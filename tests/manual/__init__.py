"""The documents are true: every command in them is run, every table and link is right."""
