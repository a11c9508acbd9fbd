"""Runs over a dataset: which variants are asked, what came of each example, and how it was scored."""
