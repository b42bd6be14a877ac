"""Batching: everybody exactly once, never too many together, one body a batch."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dingbell.domain.batching import Draft, body_hash, cut

rendered = st.dictionaries(
    st.text("abcdef0123", min_size=1, max_size=4), st.sampled_from([b"a", b"b", b"c"]), max_size=60
).map(lambda people: list(people.items()))


@given(rendered, st.integers(1, 7))
def test_everybody_is_in_exactly_one_batch_with_their_own_body(
    people: list[tuple[str, bytes]], most: int
) -> None:
    drafts = cut(people, most)

    assert Counter((userid, draft.body) for draft in drafts for userid in draft.userids) == Counter(
        people
    )


@given(rendered, st.integers(1, 7))
def test_no_batch_is_empty_or_too_large(people: list[tuple[str, bytes]], most: int) -> None:
    for draft in cut(people, most):
        assert 1 <= draft.size == len(draft.userids) <= most


@given(rendered, st.integers(1, 7))
def test_there_are_no_more_batches_than_needed(people: list[tuple[str, bytes]], most: int) -> None:
    wanted = sum(-(-size // most) for size in Counter(body for _, body in people).values())

    assert len(cut(people, most)) == wanted


@given(rendered, st.integers(1, 7))
def test_the_same_people_make_the_same_batches_in_their_own_order(
    people: list[tuple[str, bytes]], most: int
) -> None:
    drafts = cut(people, most)

    assert cut(iter(people), most) == drafts
    for body in {body for _, body in people}:
        batched = [userid for draft in drafts if draft.body == body for userid in draft.userids]
        assert batched == [userid for userid, own in people if own == body]
    assert list(dict.fromkeys(draft.body for draft in drafts)) == list(
        dict.fromkeys(body for _, body in people)
    )


def test_bodies_come_in_the_order_of_their_first_person() -> None:
    drafts = cut([("u1", b"b"), ("u2", b"a"), ("u3", b"b"), ("u4", b"b")], 2)

    assert drafts == [
        Draft(b"b", ("u1", "u3"), 2),
        Draft(b"b", ("u4",), 1),
        Draft(b"a", ("u2",), 1),
    ]


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_equal_bodies_and_only_they_have_equal_hashes(one: bytes, other: bytes) -> None:
    assert (body_hash(one) == body_hash(other)) == (one == other)
    assert len(body_hash(one)) == 16


def test_a_body_is_not_shown() -> None:
    assert "salary" not in repr(Draft(b"salary", ("u1",), 1))
