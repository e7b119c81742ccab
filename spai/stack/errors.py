"""The error of a stack command."""


class StackError(Exception):
    """The stack could not do what was requested; the message gives the reason and the next step."""
