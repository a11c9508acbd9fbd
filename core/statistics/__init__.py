"""Estimates with their uncertainty, as pure functions with their sources."""
