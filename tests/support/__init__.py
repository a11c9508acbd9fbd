"""Doubles and throw-away servers for tests."""
