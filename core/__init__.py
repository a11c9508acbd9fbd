"""Greenroom without a browser: everything that is true before anyone looks at it (map: README.md here)."""
