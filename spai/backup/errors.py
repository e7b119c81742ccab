"""The error of `spai.backup`."""


class BackupError(Exception):
    """A backup or a restore was refused or failed; the message says why and what to do next."""
