"""The wire: HTTP connections to backends, and the shapes of the OpenAI protocol."""
