"""Every route of engagement."""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter
from starlette.routing import Route
from starlette.types import ASGIApp

from frontdesk.app.engagement.rooms import Engagement
from frontdesk.channels.engagement import (
    approvals,
    bias,
    customers,
    decisions,
    events,
    evolution,
    feedback,
    in_app,
    learning,
    off_policy,
    outbox,
    policies,
    rollback,
    settings,
    unsubscribe,
)
from frontdesk.delivery.in_app import InAppMessages
from frontdesk.delivery.local import CustomerLetters
from frontdesk.delivery.unsubscribe import StopLinks
from frontdesk.ports import Clock


def hot(engagement: Engagement) -> Mapping[str, ASGIApp]:
    """The endpoints of those POST routes that are called past the framework, by path."""
    return decisions.hot(engagement.at_work.deciding)


def pages(engagement: Engagement, links: StopLinks, desk_name: str) -> Sequence[Route]:
    """What customers themselves open."""
    return [unsubscribe.route(links, engagement.feedback, desk_name)]


def routers(engagement: Engagement, clock: Clock) -> Sequence[APIRouter]:
    """All of them."""
    rows, rooms, in_effect = engagement.rows, engagement.at_work, engagement.settings
    return (
        events.router(rooms.intake, clock),
        customers.router(rows.customers, rows.timeline, clock, in_effect),
        decisions.router(
            rooms.deciding,
            rows.decisions,
            rows.stories,
            engagement.source,
            engagement.overruling,
            in_effect,
            rooms.work,
        ),
        approvals.router(engagement.approvals, rows.outreach, rows.database, rooms.work),
        in_app.router(InAppMessages(rows.database)),
        outbox.router(CustomerLetters(rows.database)),
        feedback.router(engagement.feedback, clock),
        learning.router(engagement.learner, rows.policies, rows.patterns),
        policies.router(rows.policies),
        off_policy.router(engagement.comparing, rows.policies, clock),
        evolution.router(rooms.evolving, rows.evolutions, rows.policies),
        rollback.router(engagement.guard, rows.policies),
        bias.router(rows.gaps, in_effect),
        settings.router(engagement.effective),
    )
