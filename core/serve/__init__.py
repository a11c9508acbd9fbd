"""Answering one call: the pipeline from a request to a recorded answer."""
