"""Who is here, where they work, what they may open: the first line of every page asks this module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import streamlit as st

from core import settings
from core.errors import GreenroomError, NotAllowed, NotFound
from core.people import queries
from core.people.queries import ProjectView
from core.people.rules import LOCAL, Permission, Principal
from pages.parts import acting, reads, signing

T = TypeVar("T")

FOLDER = Path(__file__).resolve().parent.parent
PROJECT = "project"
"""The query parameter, and the session's memory, of the project somebody works in."""


@dataclass(frozen=True, slots=True)
class PageRow:
    """One page: its file, what the navigation says of it, and the right it takes to open it."""

    file: str
    title: str
    icon: str
    url_path: str
    permission: Permission
    section: str
    help: str


PAGES = (
    PageRow(
        "home_today.py", "Home", ":material/home:", "", Permission.USAGE_READ, "Try",
        "The first three steps, today's numbers and what needs attention.",
    ),
    PageRow(
        "prompt_playground.py", "Playground", ":material/science:", "playground", Permission.PLAYGROUND_USE, "Try",
        "Try a prompt on up to four models or settings side by side.",
    ),
    PageRow(
        "review_queue.py", "Review queue", ":material/rate_review:", "review", Permission.CALLS_READ, "Review",
        "Answers that wait for people: decide on them, one at a time.",
    ),
    PageRow(
        "review_quality.py", "Review quality", ":material/balance:", "quality", Permission.REVIEW_LEAD, "Review",
        "How far reviewers agree, what they make of known answers, and whether they stay as strict as they were.",
    ),
    PageRow(
        "review_feedback.py", "Feedback", ":material/thumbs_up_down:", "feedback", Permission.CALLS_READ, "Review",
        "What readers said of answers, and why; what deserves a second look.",
    ),
    PageRow(
        "review_policies.py", "Routing and policies", ":material/shield:", "policies", Permission.CALLS_READ, "Review",
        "Which answers are redacted, refused or held; the review queues, and what reviewers are asked.",
    ),
    PageRow(
        "prompt_library.py", "Prompts", ":material/description:", "prompts", Permission.PROMPT_READ, "Improve",
        "What models are told, in versions: compare them, put one in production, go back.",
    ),
    PageRow(
        "review_datasets.py", "Datasets", ":material/dataset:", "datasets", Permission.DATASET_READ, "Improve",
        "Examples to test with and to fine-tune on: versions, splits, files in and out.",
    ),
    PageRow(
        "experiment_runs.py", "Experiments", ":material/labs:", "experiments", Permission.EXPERIMENT_READ, "Improve",
        "Ask a whole dataset of several prompts or models, score every answer, and see which is better.",
    ),
    PageRow(
        "side_by_side.py", "Side by side", ":material/compare:", "compare", Permission.COMPARE_READ, "Improve",
        "Two answers, nobody knows whose: people choose, and it shows which model or prompt they prefer.",
    ),
    PageRow(
        "live_tests.py", "Live tests", ":material/alt_route:", "tests", Permission.TRIAL_READ, "Improve",
        "Two versions beside each other on real traffic, with guardrails: which one is better, and how sure that is.",
    ),
    PageRow(
        "call_list.py", "Calls", ":material/receipt_long:", "calls", Permission.CALLS_READ, "Measure",
        "Every answer ever given: find it, read it, export it.",
    ),
    PageRow(
        "usage_cost.py", "Usage and cost", ":material/bar_chart:", "usage", Permission.USAGE_READ, "Measure",
        "Calls, tokens, cost, errors and latency over time, and what they are made of.",
    ),
    PageRow(
        "backends_models.py", "Backends and models", ":material/dns:", "backends", Permission.BACKEND_READ, "Models",
        "The servers that answer, their models, aliases and prices.",
    ),
    PageRow(
        "people_keys.py", "People and keys", ":material/group:", "people", Permission.KEY_READ, "Govern",
        "API keys, people, their roles, and projects.",
    ),
    PageRow(
        "webhook_board.py", "Webhooks", ":material/webhook:", "webhooks", Permission.WEBHOOK_CHANGE, "Govern",
        "Tell applications when an answer that waited for people has its end.",
    ),
    PageRow(
        "audit_trail.py", "Audit", ":material/history:", "audit", Permission.AUDIT_READ, "Govern",
        "Who did what and when, in a chain that shows every change.",
    ),
)  # fmt: skip


def principal() -> Principal:
    """Who is here, with the rights they have in the store at this moment. Stops the page when nobody is."""
    if not settings.login_configured():
        signing.only_this_computer()
        return LOCAL
    return _or_stop(signing.principal)


def projects() -> list[ProjectView]:
    """The projects this person has a role in."""
    who = principal()
    return [project for project in reads.fresh(queries.projects) if _works_in(who, project)]


def project() -> ProjectView:
    """The project somebody works in: the URL's `?project=`, else the last one chosen, else their first."""
    return _or_stop(project_or_error)


def project_or_error() -> ProjectView:
    """The same. Raises: NotFound, NotAllowed."""
    return _chosen(projects())


def require(permission: Permission | str) -> Principal:
    """Who is here, if they may do this in the current project; else a sentence, and the page ends."""
    who, here = principal(), project()
    if not who.may(Permission(permission), here.id):
        _or_stop(lambda: refuse(here.name))
    return who


def refuse(project_name: str) -> Principal:
    """Raises: NotAllowed, as a page says it."""
    raise NotAllowed(
        f"Your roles in the project {project_name!r} do not open this page.",
        hint="Choose another project, or ask an admin of this one for a role that does.",
    )


def _works_in(who: Principal, project: ProjectView) -> bool:
    return bool(who.grants.get(None) or who.grants.get(project.id))


def _chosen(mine: list[ProjectView]) -> ProjectView:
    if not mine:
        raise NotAllowed("You have no role in any project yet.", hint="Ask an admin of Greenroom for one.")
    named = st.query_params.get(PROJECT)
    if named is not None:
        for candidate in mine:
            if candidate.name == named:
                return candidate
        raise NotFound(
            f"There is no project {named!r}, or you have no role in it.",
            hint="Choose one in the sidebar, or ask for a role in it.",
        )
    remembered = st.session_state.get(PROJECT)
    return next((candidate for candidate in mine if candidate.name == remembered), mine[0])


def _or_stop(find: Callable[[], T]) -> T:
    """The value, or the error as a sentence and the end of the page."""
    try:
        return find()
    except GreenroomError as error:
        acting.show(error)
        st.stop()
