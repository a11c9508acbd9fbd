"""What an answer or a question may contain: detectors find, a policy decides."""
