"""Commands of `manage.py` about the faces."""
