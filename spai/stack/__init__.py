"""The one-machine stack: which processes run, with what command, and how each is known to be healthy.

Nothing here needs Django to be set up: the stack writes `var/stack.env` before settings can load.
"""
