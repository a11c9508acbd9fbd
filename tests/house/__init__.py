"""Rules of the house that no linter knows; each is shown a violation too, so that it can fail."""
