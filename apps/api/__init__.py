"""Every face that is shown to people and programs."""
