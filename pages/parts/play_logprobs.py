"""How sure the model was: its answer with every token shaded, and the same as a table for who cannot see shades."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from core.prompts.answers import Token
from pages.parts import prose

MOST_SHADED = 3_000
MOST_ROWS = 500
_CHIP = "padding:0 .35em;border-radius:3px;margin-right:.5em;display:inline-block;white-space:nowrap"
_SHADES = ((0.9, "very sure", 0.0), (0.5, "sure", 0.14), (0.2, "unsure", 0.3), (0.0, "a guess", 0.5))


def draw(tokens: Sequence[Token], *, key: str) -> None:
    """The shaded answer; hovering a token tells its probability and what else might have stood there."""
    pieces = "".join(_piece(token) for token in tokens[:MOST_SHADED])
    legend = "".join(f'<span style="{_shade(alpha)}{_CHIP}">{words}</span>' for _, words, alpha in _SHADES)
    st.html(
        f'<div style="font-size:.8rem;opacity:.85;margin-bottom:.4rem">{legend}'
        "<span>Hover or tap a token for the alternatives.</span></div>"
        f'<div style="white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.75">{pieces}</div>'
    )
    if len(tokens) > MOST_SHADED:
        st.caption(f"The first {MOST_SHADED:,} of {len(tokens):,} tokens are shaded.")
    if st.toggle("As a table", key=f"{key}_table"):
        _table(tokens[:MOST_ROWS], key=key)


def _piece(token: Token) -> str:
    alpha = next(alpha for least, _, alpha in _SHADES if token.probability >= least)
    others = "\n".join(f"{_visible(text)}  {percent(p)}" for text, p in token.alternatives)
    told = f"{_visible(token.text)}  {percent(token.probability)}" + (f"\n\nInstead of it:\n{others}" if others else "")
    shown = html.escape(prose.clean(token.text)).replace("\n", "↵<br>")
    return (
        f'<span tabindex="0" title="{html.escape(told, quote=True)}" '
        f'style="{_shade(alpha)}border-radius:3px;outline-offset:1px">{shown}</span>'
    )


def _shade(alpha: float) -> str:
    return f"background:rgba(224,138,0,{alpha});" if alpha else ""


def _visible(text: str) -> str:
    """A token with its blanks made visible."""
    return "“" + prose.clean(text).replace("\n", "↵").replace("\t", "⇥").replace(" ", "·") + "”"


def percent(probability: float) -> str:
    """`97 %`, `0.4 %`, `< 0.1 %`."""
    shown = probability * 100
    if 0 < shown < 0.1:
        return "< 0.1 %"
    return f"{shown:.1f} %" if shown < 10 else f"{shown:.0f} %"


def _table(tokens: Sequence[Token], *, key: str) -> None:
    st.dataframe(
        {
            "Token": [_visible(token.text) for token in tokens],
            "Probability": [percent(token.probability) for token in tokens],
            "Instead of it": [
                ", ".join(f"{_visible(text)} {percent(p)}" for text, p in token.alternatives) for token in tokens
            ],
        },
        key=f"{key}_rows",
        hide_index=True,
        alt="Each token of the answer, its probability, and the alternatives with theirs",
    )
