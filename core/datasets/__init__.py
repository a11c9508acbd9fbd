"""Examples worth keeping: from calls, reviews and feedback."""
