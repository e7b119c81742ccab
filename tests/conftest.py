"""What all tests share; their servers are in tests/servers.py."""
