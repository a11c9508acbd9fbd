"""Migrations: how a store of any age becomes a store of today."""
