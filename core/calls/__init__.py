"""The record: every call once, whatever its end, with its payload, tags, tokens, cost, timings and rollups."""
