"""Three nodes on one machine, each of which dies, freezes or is cut off while the site is in use."""
