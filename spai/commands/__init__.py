"""The commands of `manage.py spai`: each calls the services that the admin and the API call.

`manage.py spai NAME --json` prints one JSON document, whose member `error` is there when the exit code is 1. Progress
goes to standard error, and only to a terminal.
"""
