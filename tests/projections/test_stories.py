"""Hand-written histories: what stands after them, in whatever order they come."""

import random
from collections.abc import Callable
from itertools import islice, permutations

import pytest

from tests.projections import oracle
from tests.projections.stories import STORIES, Story
from tests.projections.world import NOTIFY, RETENTION, Standing, projected

each_story = pytest.mark.parametrize("story", STORIES, ids=[story.claim for story in STORIES])


def orders(story: Story) -> list[list[bytes]]:
    """The story itself, and up to 120 other orders of it."""
    if len(story.records) <= 5:
        return [list(order) for order in islice(permutations(story.records), 120)]
    chance = random.Random(story.claim)
    return [list(story.records), *(chance.sample(story.records, len(story.records)) for _ in range(30))]


def one_by_one(order: list[bytes]) -> Standing:
    return projected([[record] for record in order])


def at_once(order: list[bytes]) -> Standing:
    return projected([order])


def everything_twice(order: list[bytes]) -> Standing:
    return projected([order[::2], order, order[::-1]])


def by_rivals(order: list[bytes]) -> Standing:
    return projected([[record] for record in order], rivals=range(0, len(order), 2))


@each_story
@pytest.mark.parametrize("way", [one_by_one, at_once, everything_twice, by_rivals])
def test_a_story_ends_as_written_in_any_order(story: Story, way: Callable[[list[bytes]], Standing]) -> None:
    for order in orders(story):
        _expect(story, way(order))


def _expect(story: Story, found: Standing) -> None:
    assert found.rows.keys() == story.rows.keys()
    for key, wanted in story.rows.items():
        assert {name: found.rows[key].get(name) for name in wanted} == wanted
    assert {key: (cause.since, cause.kind) for key, cause in found.suppressed.items()} == story.suppressed
    assert {(email_id, status) for _, email_id, status in found.announced} == story.announced
    assert {original for _, original, _ in found.retried} == story.retried


@each_story
def test_the_oracle_says_the_same(story: Story) -> None:
    told = oracle.outcome(story.records, NOTIFY, RETENTION)
    assert told.rows.keys() == story.rows.keys()
    for key, wanted in story.rows.items():
        assert {name: told.rows[key].get(name) for name in wanted} == wanted
    assert {key: cause[:2] for key, cause in told.suppressed.items()} == story.suppressed
    assert told.announced == story.announced
    assert told.retried == story.retried


def test_stories_have_claims_of_their_own() -> None:
    claims = [story.claim for story in STORIES]
    assert len(set(claims)) == len(claims) >= 30
