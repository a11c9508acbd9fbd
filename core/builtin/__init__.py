"""The embedded backend: honest rules, extraction and a tiny model; no key, no network."""
