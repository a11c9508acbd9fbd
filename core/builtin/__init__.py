"""The embedded backend: four honest models that need no key and no network.

`engine` is the way in, `cards` says what each model is. `request` checks what was asked, `replies` shapes what is
answered. extract, answer and rules are `written`: they rest on `words`, `sentences`, `material`, `rank`,
`kinds`; `rulebook` holds the rules. tiny is sampled: `tokenizer`, `llama`, `sampling`, `spoken`, `generate`.
"""
