"""Personal data that has a form of its own: cards, accounts, national numbers, phones, addresses of mail and machines.

Names and postal addresses have none and are not found here (see `names`). Where a number carries a checksum it must be
right; where its form is weak, a word before it must say what it is.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

from stdnum.au import tfn as au_tfn
from stdnum.be import nn as be_nn
from stdnum.br import cpf as br_cpf
from stdnum.ca import sin as ca_sin
from stdnum.ch import ssn as ch_ssn
from stdnum.cn import ric as cn_ric
from stdnum.de import idnr as de_idnr
from stdnum.es import dni as es_dni
from stdnum.es import nie as es_nie
from stdnum.fi import hetu as fi_hetu
from stdnum.fr import nir as fr_nir
from stdnum.gb import nhs as gb_nhs
from stdnum.in_ import aadhaar as in_aadhaar
from stdnum.in_ import pan as in_pan
from stdnum.it import codicefiscale as it_codicefiscale
from stdnum.kr import rrn as kr_rrn
from stdnum.mx import curp as mx_curp
from stdnum.nl import bsn as nl_bsn
from stdnum.pl import pesel as pl_pesel
from stdnum.se import personnummer as se_personnummer
from stdnum.tr import tckimlik as tr_tckimlik
from stdnum.us import itin as us_itin
from stdnum.us import ssn as us_ssn
from stdnum.za import idnr as za_idnr

from core.guard.findings import Hit, settled

NAME = "personal/1"
REACH = 80

_DIGITS = re.compile(r"\D")
_CARD = re.compile(r"(?<![\d.,-])(?<!\d )[2-6]\d{3}(?:[ -]?\d{3,6}){2,4}(?:[ -]\d{3})?(?![\d-])")
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ \-]?[A-Za-z0-9]{4}){2,7}(?:[ \-]?[A-Za-z0-9]{1,3})?(?![A-Za-z0-9])"
)
_IBAN_SIZES = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24,
    "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24,
    "XK": 20,
}  # fmt: skip
_SSN = re.compile(r"(?<![\d-])(\d{3})([- ])(\d{2})\2(\d{4})(?![\d-])")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?:\.\d{1,3}){0,3}(?![\w:])")
_MAC = re.compile(r"(?<![\w:-])[0-9a-fA-F]{2}([:-])(?:[0-9a-fA-F]{2}\1){4}[0-9a-fA-F]{2}(?![\w:-])")
_MAIL_BEFORE = frozenset("._%+-'")
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_MAIL_WORDS = re.compile(
    r"(?<![\w.+-])([\w.+-]{1,64})\s?[\[({<]\s?(?:at|AT|ät|arroba)\s?[\])}>]\s?"
    r"([\w-]{1,63}(?:\s?(?:\.|[\[({<]\s?(?:dot|DOT|punkt|punto)\s?[\])}>])\s?[\w-]{1,63}){1,4})"
)
_PHONE_PLUS = re.compile(
    r"(?<![\w+])(?:\+|00)[1-9]\d{0,2}[ .\-/]?(?:\(0?\d{0,4}\)[ .\-/]?)?\d{1,5}(?:[ .\-/]?\d{1,5}){1,6}(?!\w)"
)
_PHONE_US = re.compile(
    r"(?<![\w.+-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}([-.]))[2-9]\d{2}(?(1)\1|[-.])\d{4}(?![\w-])"
)
_PHONE_ZERO = re.compile(r"(?<![\w.,:/+-])\(?0[1-9]\d{0,4}\)?(?:[ .\-/]\d{2,8}){1,5}(?![\w.:-]|,\d)")
_PHONE_SAID = re.compile(
    r"(?i:\b(?:tel|telephone|phone|phone number|mobile|cell|call me|call us|call|reach me|fax|whatsapp|text me|ring|"
    r"telefon|handy|rufen sie|"
    r"handynummer|telefonnummer|mobil|téléphone|portable|teléfono|telefono|móvil|cellulare|telefone|telemóvel|"
    r"telefoon))"
    r"(?:\s?(?:no|nr|num|number|n°|at|on|is|ist|unter|al|au|:|\.|#)){0,3}[\s:.]{0,3}"
    r"(\(?\d[\d().\-/ ]{5,18}\d)(?![\w-])"
)
_DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/. ]\s?\d{1,2}[-/. ]\s?(?:\d{4}|\d{2})(?!\d)|"
    r"\d{1,2}(?:st|nd|rd|th|\.|er|º)?(?: of| de)? [^\W\d_]{3,10}\.?,?(?: de)? \d{4}|[^\W\d_]{3,10}\.? \d{1,2}(?:st|"
    r"nd|rd|th)?,? \d{4})"
)
_BIRTH = re.compile(
    r"(?i:\b(?:d\.?o\.?b\.?|date of birth|birth ?date|birthday|born|geburtsdatum|geboren|geb\.|née?|naissance|"
    r"nacid[oa]|nacimiento|nat[oa]|"
    r"nascita|nascid[oa]|nascimento|geboortedatum|urodzon[ya]|data urodzenia|födelsedatum|doğum tarihi))"
    r"[^\n\d]{0,30}?(" + _DATE + ")"
)


def _numbered(written: str) -> bool:
    """Whether a number of letters and digits is mostly digits, as no word is."""
    return sum(letter.isdigit() for letter in written) >= 4


# (kind, form, checksum, words of which one must stand before it; "" needs none)
_NATIONAL: tuple[tuple[str, str, Callable[[str], bool] | None, str], ...] = (
    ("it codice fiscale", r"(?i:[a-z]{6}\d\d[a-ehlmprst]\d\d[a-z]\d{3}[a-z])", it_codicefiscale.is_valid, ""),
    ("mx curp", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d", mx_curp.is_valid, ""),
    ("fi hetu", r"\d{6}[-+A]\d{3}[0-9A-FHJ-NPR-Y]", fi_hetu.is_valid, ""),
    ("br cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}", br_cpf.is_valid, ""),
    ("fr nir", r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}", fr_nir.is_valid, ""),
    ("ch ahv", r"756\.\d{4}\.\d{4}\.\d{2}", ch_ssn.is_valid, ""),
    ("es dni", r"\d{8}-?[A-Z]", es_dni.is_valid, ""),
    ("es nie", r"[XYZ]-?\d{7}-?[A-Z]", es_nie.is_valid, ""),
    ("kr rrn", r"\d{6}-[1-4]\d{6}", kr_rrn.is_valid, ""),
    ("cn id", r"[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])\d{5}[\dX]", cn_ric.is_valid, ""),
    ("se personnummer", r"(?:19|20)?\d{6}[-+]\d{4}", se_personnummer.is_valid, ""),
    ("be national number", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", be_nn.is_valid, ""),
    ("us itin", r"9\d{2}-[5-9]\d-\d{4}", us_itin.is_valid, ""),
    ("gb nino", r"[A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-Da-d]", None, ""),
    ("gb nhs number", r"\d{3}[ -]?\d{3}[ -]?\d{4}", gb_nhs.is_valid, "nhs"),
    ("nl bsn", r"\d{9}", nl_bsn.is_valid, "bsn|burgerservicenummer|sofinummer"),
    ("de tax number", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", de_idnr.is_valid, "steuer|idnr|identifikationsnummer|tax id"),
    ("pl pesel", r"\d{11}", pl_pesel.is_valid, "pesel"),
    ("in aadhaar", r"\d{4} ?\d{4} ?\d{4}", in_aadhaar.is_valid, "aadhaar|aadhar|uidai"),
    ("in pan", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", in_pan.is_valid, "pan |pan:|tax"),
    ("ca sin", r"\d{3}[ -]\d{3}[ -]\d{3}", ca_sin.is_valid, "sin |sin:|social insurance|nas "),
    ("au tfn", r"\d{3} ?\d{3} ?\d{3}", au_tfn.is_valid, "tfn|tax file"),
    ("tr id", r"[1-9]\d{10}", tr_tckimlik.is_valid, "kimlik|tc no|t.c."),
    ("za id", r"\d{13}", za_idnr.is_valid, "id number|identity|id no"),
    ("us ssn", r"\d{9}", us_ssn.is_valid, "ssn|social security"),
    ("passport", r"[A-Z0-9]{7,9}", _numbered, "passport|reisepass|passeport|pasaporte|passaporto"),
)  # fmt: skip
_FORMS = tuple(
    (kind, re.compile(rf"(?<![\w.-])(?:{form})(?![\w-])"), module, tuple(words.split("|")) if words else ())
    for kind, form, module, words in _NATIONAL
)
_NOT_A_NUMBER = re.compile(
    r"(?i)(?:order|invoice|ticket|tracking|version|part|isbn|article|serial|reference|ref|case|model|bestell\w*|"
    r"rechnung\w*|commande|pedido|"
    r"sku|build|commit|item|batch|receipt|parcel|shipment)[\s:#.a-z-]{0,14}$"
)
_SAMPLE_SSN = frozenset({"078051120", "219099999", "123456789"})


def find(text: str) -> list[Hit]:
    """Everything of these kinds in a text, without overlaps."""
    hits = [*_mails(text)]
    for start, stop in _near_digits(text):
        for kind in (_cards, _ibans, _national, _numbers, _phones, _births, _ipv4):
            hits += kind(text, start, stop)
    if _HEX_PAIR.search(text):
        hits += _machines(text)
    return settled(hits)


_RUN = re.compile(r"\d+")
_HEX_PAIR = re.compile(r"[0-9a-fA-F]{1,2}[:-][0-9a-fA-F]{0,4}[:-]")
_BEFORE, _AFTER, _FEWEST = 64, 24, 4


def _near_digits(text: str) -> Iterator[tuple[int, int]]:
    """Stretches of a text with digits in them and what stands around them: most of a text has none.

    Digits no further apart than `_AFTER` lie in one stretch; one with fewer than four digits holds nothing to find.
    """
    first = last = count = 0
    for found in _RUN.finditer(text):
        if count and found.start() - last > _AFTER:
            if count >= _FEWEST:
                yield max(0, first - _BEFORE), last + _AFTER
            count = 0
        if not count:
            first = found.start()
        last, count = found.end(), count + found.end() - found.start()
    if count >= _FEWEST:
        yield max(0, first - _BEFORE), min(len(text), last + _AFTER)


def _mails(text: str) -> Iterator[Hit]:
    place = text.find("@")
    while place > 0:
        start = place
        while start and place - start < 64 and (text[start - 1].isalnum() or text[start - 1] in _MAIL_BEFORE):
            start -= 1
        while start < place and text[start] in "'.%-":
            start += 1
        domain = _DOMAIN.match(text, place + 1)
        if start < place and domain is not None and text[place - 1] != ".":
            yield Hit("email", start, domain.end(), 0.98)
        place = text.find("@", place + 1)
    if ("at" in text or "AT" in text or "arroba" in text or "ät" in text) and any(sign in text for sign in "[({<"):
        for found in _MAIL_WORDS.finditer(text):
            yield Hit("email", found.start(), found.end(), 0.8)


def _cards(text: str, begin: int, end: int) -> Iterator[Hit]:
    for found in _CARD.finditer(text, begin, end):
        number = _DIGITS.sub("", found[0])
        if 13 <= len(number) <= 19 and _luhn(number) and _issuer(number) and len(set(number)) > 1:
            plain = 0.95 if not _NOT_A_NUMBER.search(text, max(0, found.start() - 40), found.start()) else 0.5
            yield Hit("card", found.start(), found.end(), plain)


def _luhn(number: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _issuer(number: str) -> bool:
    """Whether a network issues numbers of this beginning and length (ISO/IEC 7812 ranges as published by them)."""
    size, two, four = len(number), int(number[:2]), int(number[:4])
    return (
        (number[0] == "4" and size in (13, 16, 19))
        or ((51 <= two <= 55 or 2221 <= four <= 2720) and size == 16)
        or (two in (34, 37) and size == 15)
        or ((two in (36, 38, 39) or 300 <= four // 10 <= 305) and 14 <= size <= 19)
        or ((four == 6011 or two in (64, 65)) and 16 <= size <= 19)
        or (3528 <= four <= 3589 and 16 <= size <= 19)
        or (two == 62 and 16 <= size <= 19)
        or ((two == 50 or 56 <= two <= 58 or two in (60, 63, 67)) and size in (16, 18, 19))
    )


def _ibans(text: str, begin: int, end: int) -> Iterator[Hit]:
    for found in _IBAN.finditer(text, begin, end):
        written = found[0]
        size = _IBAN_SIZES.get(written[:2].upper())
        if size is None:
            continue
        stop, letters = 0, []
        for place, letter in enumerate(written):
            if letter not in " -":
                letters.append(letter.upper())
                if len(letters) == size:
                    stop = place + 1
                    break
        if not stop or (stop < len(written) and written[stop] not in " -"):
            continue
        number = "".join(letters)
        if int("".join(str(int(letter, 36)) for letter in number[4:] + number[:4])) % 97 == 1:
            yield Hit("iban", found.start(), found.start() + stop, 0.99)


def _numbers(text: str, begin: int, end: int) -> Iterator[Hit]:
    for found in _SSN.finditer(text, begin, end):
        area, group, serial = found[1], found[3], found[4]
        possible = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
        if possible and area + group + serial not in _SAMPLE_SSN:
            likely = not _NOT_A_NUMBER.search(text, max(0, found.start() - 40), found.start())
            dashed = found[2] == "-" or re.search(r"(?i)ssn|social", text[max(0, found.start() - 40) : found.start()])
            yield Hit("us ssn", found.start(), found.end(), (0.9 if dashed else 0.4) if likely else 0.4)


def _national(text: str, begin: int, end: int) -> Iterator[Hit]:
    around = text[begin:end].lower()
    for kind, form, valid, words in _FORMS:
        if words and not any(word in around for word in words):
            continue
        for found in form.finditer(text, begin, end):
            before = text[max(0, found.start() - 40) : found.start()]
            if words:
                if not any(word in before.lower() for word in words):
                    continue
            elif _NOT_A_NUMBER.search(before):
                continue
            if valid is not None and not valid(found[0]):
                continue
            yield Hit(kind, found.start(), found.end(), 0.92 if valid else 0.8)


def _phones(text: str, begin: int, end: int) -> Iterator[Hit]:
    for form, sure in ((_PHONE_PLUS, 0.9), (_PHONE_US, 0.85), (_PHONE_ZERO, 0.6)):
        for found in form.finditer(text, begin, end):
            written = found[0]
            digits = sum(letter.isdigit() for letter in written)
            most = 17 if written.startswith("00") else 15
            if not 8 <= digits <= most or (form is _PHONE_ZERO and (digits < 9 or _is_date(written))):
                continue
            if _NOT_A_NUMBER.search(text, max(0, found.start() - 40), found.start()):
                continue
            if written.startswith("00") and digits < 11:
                continue
            yield Hit("phone", found.start(), found.end(), sure)
    for found in _PHONE_SAID.finditer(text, begin, end):
        written = found[1]
        digits = sum(letter.isdigit() for letter in written)
        if 7 <= digits <= 15 and not _is_date(written):
            yield Hit("phone", found.start(1), found.end(1), 0.75)


_DATED = re.compile(r"\(?\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})\)?|\d{4}[./-]\d{1,2}[./-]\d{1,2}")


def _is_date(written: str) -> bool:
    return _DATED.match(written) is not None


def _births(text: str, begin: int, end: int) -> Iterator[Hit]:
    for found in _BIRTH.finditer(text, begin, end):
        yield Hit("date of birth", found.start(1), found.end(1), 0.85)


def _ipv4(text: str, begin: int, end: int) -> Iterator[Hit]:
    for found in _IPV4.finditer(text, begin, end):
        before = text[max(0, found.start() - 14) : found.start()].lower().rstrip(" :=v")
        if _address(found[0]) and not before.endswith(_VERSIONED):
            yield Hit("ip", found.start(), found.end(), 0.85)


_VERSIONED = ("version", "release", "ver.", "firmware", "build", "section", "chapter")


def _machines(text: str) -> Iterator[Hit]:
    for found in _IPV6.finditer(text):
        if len(found[0]) >= 6 and _address(found[0]):
            yield Hit("ip", found.start(), found.end(), 0.9)
    for found in _MAC.finditer(text):
        yield Hit("mac", found.start(), found.end(), 0.9)


def _address(written: str) -> bool:
    try:
        found = ipaddress.ip_address(written)
    except ValueError:
        return False
    return not (found.is_unspecified or found.is_loopback)
