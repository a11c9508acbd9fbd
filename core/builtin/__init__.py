"""The embedded backend: four honest models that need no key and no network.

`engine` is the way in, `cards` says what each model is. `request` checks what was asked, `replies` shapes what is
answered. extract and answer rest on `words`, `sentences`, `material`, `rank`; tiny on `tokenizer`, `llama`,
`sampling`, `generate`.
"""
