"""Blind comparison: two hidden answers to one question, a vote that stays, and only then who said which."""
