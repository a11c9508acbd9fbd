"""Words as the embedded models compare them: lower case, without filler words, English endings cut off.

The stemmer is the first step of Porter's (An algorithm for suffix stripping, 1980) with a few common noun endings.
"""

from __future__ import annotations

import functools
import re

_FILLERS = """
    a an and are as at be been but by can could did do does for from had has have he her his how i if in into is
    it its just may me might more most my no nor not of on only or our out over own shall she should so some such
    than that the their them then there these they this those to too under until up us very was we were what when
    where which while who whom whose why will with would you your also about after again all any am because before
    being below between both each few further here how's it's what's please tell get
"""
FILLERS = frozenset(_FILLERS.split())
_WORD = re.compile(r"[^\W_]{1,64}(?:[.'’-][^\W_]{1,64}){0,8}")
_VOWEL = re.compile(r"[aeiouy]")
_IDEOGRAPH = re.compile("[぀-ヿ㐀-鿿가-힯]")
_PAST = """
    built:build made:make sold:sell paid:pay kept:keep held:hold led:lead left:leave lost:lose found:find
    wrote:write written:write gave:give given:give took:take taken:take went:go gone:go came:come began:begin
    begun:begin bought:buy brought:bring caught:catch chose:choose chosen:choose drew:draw drawn:draw
    drove:drive ate:eat eaten:eat fell:fall flew:fly grew:grow grown:grow knew:know known:know lent:lend
    met:meet ran:run rose:rise said:say sat:sit saw:see seen:see sent:send shown:show slept:sleep spent:spend
    spoke:speak stood:stand taught:teach thought:think told:tell won:win wore:wear worn:wear people:person
    men:man women:woman children:child mice:mouse feet:foot teeth:tooth
"""
_IRREGULAR = {pair.partition(":")[0]: pair.partition(":")[2] for pair in _PAST.split()}
_NOUNS = ("ations", "ation", "ments", "ment", "ness", "ions", "ion", "ers", "er")


def words(text: str) -> list[str]:
    """The words of `text` as they stand; a run longer than 64 letters is cut there."""
    return _WORD.findall(text)


def terms(text: str) -> list[str]:
    """What `text` is about: stemmed words without fillers. Scripts without blanks count per pair of characters."""
    found: list[str] = []
    for word in words(text.lower()):
        if _IDEOGRAPH.search(word):
            found += [word[at : at + 2] for at in range(max(1, len(word) - 1))]
        elif word not in FILLERS:
            found.append(stem(word))
    return found


@functools.lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """`refunded`, `refunds`, `refunding` → `refund`."""
    word = word.removesuffix("'s").removesuffix("’s")
    word = _IRREGULAR.get(word, word)
    if len(word) < 4 or not word.isalpha():
        return word
    word = _verb(_plural(word))
    for ending in _NOUNS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word.removesuffix(ending)
            break
    if word.endswith("y") and len(word) > 3:
        return word[:-1] + "i"
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def _plural(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _verb(word: str) -> str:
    for ending in ("ingly", "edly", "ing", "ed"):
        root = word.removesuffix(ending)
        if root != word and len(root) > 2 and _VOWEL.search(root):
            if root[-1] == root[-2] and root[-1] not in "lsz":
                return root[:-1]
            return root
    return word
