"""WhoScored: fixtures, results, line-ups and prices."""
