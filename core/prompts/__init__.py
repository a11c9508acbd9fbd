"""What a person asks a model: messages, variables, parameters, and what came back of it."""
