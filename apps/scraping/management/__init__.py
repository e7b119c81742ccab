"""Management of scraping."""
