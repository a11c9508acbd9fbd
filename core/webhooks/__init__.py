"""Telling an application what happened, signed, until it has heard."""
