"""Names of people and postal addresses, which have no form of their own: found by Presidio where it is installed.

`presidio-analyzer` (the extra `names`) and a spaCy model are not installed by default (some 220 MB); without them
nothing is found and `missing` says so. Nothing is fetched: the model must lie on this machine.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from typing import Any

from core.guard.findings import Hit, settled

NAME = "names/1"
LEAST = 0.5
MODELS = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm")
_NOT = "Names and postal addresses are not looked for:"
_KINDS = {"PERSON": "name", "LOCATION": "address", "GPE": "address", "NRP": "group"}


def missing() -> str:
    """What is not installed, in a sentence with the next step; empty when names can be found."""
    if find_spec("presidio_analyzer") is None:
        return f"{_NOT} presidio-analyzer is not installed. `uv sync --extra names` and a spaCy model add it."
    if _model() is None:
        return f"{_NOT} no spaCy model is installed. Install one of {', '.join(MODELS)}."
    return ""


def _model() -> str | None:
    """The best model that is installed as a distribution: Presidio fetches any other from the network."""
    for model in MODELS:
        try:
            distribution(model)
        except PackageNotFoundError:
            continue
        return model
    return None


def find(text: str, engine: Any = None) -> list[Hit]:
    """Names and addresses in an English text.

    Raises: RuntimeError when neither an engine is given nor one is installed.
    """
    found = (engine or _engine()).analyze(text=text, language="en", entities=list(_KINDS))
    return settled(
        Hit(_KINDS[one.entity_type], one.start, one.end, round(min(float(one.score), 0.99), 2))
        for one in found
        if one.entity_type in _KINDS and one.score >= LEAST
    )


@lru_cache(maxsize=1)
def _engine() -> Any:
    if said := missing():
        raise RuntimeError(said)
    model = _model()
    analyzer, nlp = import_module("presidio_analyzer"), import_module("presidio_analyzer.nlp_engine")
    settings = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
    registry = analyzer.RecognizerRegistry(recognizers=[], supported_languages=["en"])
    made = analyzer.AnalyzerEngine(
        nlp_engine=nlp.NlpEngineProvider(nlp_configuration=settings).create_engine(),
        registry=registry,
        supported_languages=["en"],
    )
    # only the recognizer over the model: others would fetch the list of public suffixes
    made.registry.add_recognizer(analyzer.predefined_recognizers.SpacyRecognizer(supported_language="en"))
    return made
