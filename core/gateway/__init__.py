"""The HTTP face: the OpenAI protocol for applications."""
