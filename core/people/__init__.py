"""People: projects, persons, roles, API keys, and who may do what."""
