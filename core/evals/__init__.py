"""What an evaluation run is judged by: scorers as values, scores with reasons, thresholds, reports for CI.

Pure but for `functions`, which runs the operator's own code in a process of its own.
"""
