"""Backup and restore: one folder with all that cannot be made again.

`manage.py spai backup` and `manage.py spai restore` run without Django, so that a backup can be taken before new code
is started, and restored when the site does not work. `docs/backup.md` lists what an archive has and what it has not.
"""
