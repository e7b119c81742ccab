"""Commands of `manage.py` about models."""
