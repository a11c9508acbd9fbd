"""The catalog: backends, their models, dated prices, and the aliases applications ask for."""
