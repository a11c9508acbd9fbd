"""How much the embedded models take, and how sure builtin/answer must be."""

from __future__ import annotations

TEXT_LIMIT = 1_000_000  # characters of all messages together
TINY_CONTEXT = 2048  # tokens
MOST_ANSWERS = 16  # of `n`
TOP_LOGPROBS = 20
MOST_STOPS = 4
THRESHOLD = 0.55  # confidence below which builtin/answer declines
