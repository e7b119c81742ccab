"""Django's backend for PostgreSQL, which checks a connection without asking the server."""
