"""The one-machine stack: the processes, their commands and their health checks.

Nothing here but `site` needs Django to be set up: the stack writes `var/stack.env` before settings can load.
"""
