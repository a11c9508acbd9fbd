"""What each embedded model is, knows and does not, in the words a product manager reads."""

from __future__ import annotations

from dataclasses import dataclass

from core.builtin.limits import TEXT_LIMIT, TINY_CONTEXT


@dataclass(frozen=True, slots=True)
class Card:
    """One embedded model. `context_window` is in the tokens of builtin/tiny, None where characters limit instead."""

    name: str
    title: str
    what: str
    knows: str
    does_not: str
    languages: str
    size: str
    kind: str = "chat"
    context_window: int | None = None

    @property
    def text(self) -> str:
        """The card as one readable piece of Markdown."""
        return "\n\n".join(
            (
                self.what,
                f"**Knows.** {self.knows}",
                f"**Does not.** {self.does_not}",
                f"**Languages.** {self.languages}",
                f"**Size.** {self.size}",
            )
        )


CARDS: tuple[Card, ...] = (
    Card(
        name="extract",
        title="Summary and keywords",
        what="Picks the most central sentences and the keywords out of a text you paste. "
        "It copies; it never writes a sentence of its own.",
        knows="Only the text in your message. Ask for “3 sentences”, “5 keywords” or “a summary”, or for a JSON "
        "object. Works best on prose of ten sentences and more.",
        does_not="It does not understand, shorten or rephrase sentences, and it is weak on tables, code and lists "
        "of links. Without a text it says so.",
        languages="Made for English. Other languages that end sentences with . ! ? or 。 work roughly, because word "
        "endings and filler words are known for English only.",
        size=f"No weights: about 300 lines of rules. Reads up to {TEXT_LIMIT:,} characters.",
    ),
    Card(
        name="answer",
        title="Answers from your text",
        what="Finds the sentence of a given text that answers a question and quotes it, with a confidence. "
        "Below its threshold it says that the text does not answer.",
        knows="Only the text you give, in the system message, before the question, or in an earlier turn. "
        "Checked on 60 questions it was not tuned on: of 30 that the text answers it quoted the right sentence for 23 "
        "and declined 7; of 30 that the text does not answer it declined 27 and was wrong on 3.",
        does_not="It matches words, not meaning: it misses an answer in other words than the question, does not "
        "combine facts or calculate, and can quote a sentence that is near the topic but no answer.",
        languages="Made for English; other languages work only where question and text share exact words.",
        size=f"No weights. Reads up to {TEXT_LIMIT:,} characters.",
    ),
    Card(
        name="rules",
        title="Fixed answers",
        what="A table of intents and answers that your team edits. Each answer was written by a person; "
        "nothing is generated.",
        knows="The intents in `builtin/rules.toml` of the data folder. A change counts from the next question on.",
        does_not="A question that matches no intent gets one declared sentence that names the topics it knows. "
        "It remembers no earlier turn.",
        languages="The languages you write the table in.",
        size="A text file.",
    ),
    Card(
        name="tiny",
        title="A tiny language model",
        what="A real language model, trained from scratch on this project's own seed dialogues, so that sampling, "
        "streaming and token probabilities can be tried without a key. It is a demonstration, not an assistant.",
        knows="About 45 topics of the help desk of an invented shop: orders, refunds, delivery, plans, accounts. "
        "It keeps to “answer briefly” and repeats names and four-digit order numbers, though not always rightly.",
        does_not="It knows nothing of the world and cannot follow instructions, calculate, write code, call tools or "
        "promise JSON. Outside its topics it says so about half the time; else it gives a sentence that does not fit. "
        "Every fact it states is invented.",
        languages="English only.",
        size=f"Half a million parameters, 0.9 MB. Reads up to {TINY_CONTEXT:,} tokens; trained on conversations of "
        "up to about 250.",
        context_window=TINY_CONTEXT,
    ),
)
