"""People between the model and the reader: queues, claims, verdicts, releases."""
