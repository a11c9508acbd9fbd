"""Where pages are, for links between them."""

from __future__ import annotations

from pathlib import Path

_PAGES = Path(__file__).resolve().parent.parent

HOME = _PAGES / "home_today.py"
EXPERIMENTS = _PAGES / "experiment_runs.py"
TESTS = _PAGES / "live_tests.py"
PROMPTS = _PAGES / "prompt_library.py"
PLAYGROUND = _PAGES / "prompt_playground.py"
CALLS = _PAGES / "call_list.py"
COMPARE = _PAGES / "side_by_side.py"
USAGE = _PAGES / "usage_cost.py"
BACKENDS = _PAGES / "backends_models.py"
PEOPLE = _PAGES / "people_keys.py"
POLICIES = _PAGES / "review_policies.py"
REVIEW = _PAGES / "review_queue.py"
