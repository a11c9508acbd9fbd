"""Prompts asked by name, on the way to a model: which version a label means now, and the request it makes.

Versions never change, so each is read from the store once. What a label means is looked up in the book, which is
never older than a second: a moved label is served everywhere without a deploy.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from anyio import to_thread

from core.db.engine import Database
from core.errors import Invalid
from core.prompts import queries, serving
from core.prompts.queries import Book
from core.prompts.versions import Content
from core.serve.asked import CHAT, PATHS, Asked, PromptAsked
from core.wire import openai

MOST_KEPT = 512

Ready = tuple[Content, dict[str, str]]


@dataclass(slots=True)
class Shelf:
    """The versions that were asked lately; `book` says what labels mean now."""

    db: Database
    book: Callable[[], Book]
    kept: OrderedDict[tuple[int, int], Ready]

    @classmethod
    def of(cls, db: Database, book: Callable[[], Book]) -> Shelf:
        """An empty one."""
        return cls(db, book, OrderedDict())

    async def filled(self, asked: Asked) -> Asked:
        """The same request, as the version it names says it; one that names none as it is.

        Raises: NotFound (code "prompt_not_found"), Invalid for variables and templates.
        """
        wanted = serving.asked(asked.body.get("model"))
        if wanted is None:
            return asked
        if PATHS[asked.route] != PATHS[CHAT]:
            raise Invalid("A prompt answers chat completions and responses.", param="model", hint="Name a model here.")
        entry = self.book().entry(asked.project_id, wanted.name)
        number = entry.number(wanted)
        content, fragments = await self.ready(entry.id, number)
        if serving.needs_a_thread(content, fragments):
            body = await to_thread.run_sync(serving.filled, content, fragments, asked.body)
        else:
            body = serving.filled(content, fragments, asked.body)
        prompt = PromptAsked(entry.id, entry.name, number, str(asked.body.get("model")))
        return replace(asked, body=body, raw=openai.dumps(body), prompt=prompt)

    async def ready(self, prompt_id: int, number: int) -> Ready:
        """A version and the texts it includes. Raises: NotFound."""
        key = (prompt_id, number)
        found = self.kept.get(key)
        if found is None:

            def read() -> Ready:
                with self.db.read() as session:
                    return queries.ready(session, prompt_id, number)

            found = self.kept[key] = await to_thread.run_sync(read)
            while len(self.kept) > MOST_KEPT:
                self.kept.popitem(last=False)
        self.kept.move_to_end(key)
        return found
