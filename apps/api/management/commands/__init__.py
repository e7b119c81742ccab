"""Commands of `manage.py` about API keys."""
