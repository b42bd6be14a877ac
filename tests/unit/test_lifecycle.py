"""The tables of moves: closed, everything reachable, what is final never sends again."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from dingbell.domain.lifecycle import (
    BATCH_MOVES,
    DELIVERY_MOVES,
    RUN_MOVES,
    Batch,
    Delivery,
    Run,
    mermaid,
    origins,
)

Moves = Mapping[StrEnum, frozenset[StrEnum]]
TABLES = [
    pytest.param(Run, RUN_MOVES, Run.DUE, id="run"),
    pytest.param(Batch, BATCH_MOVES, Batch.QUEUED, id="batch"),
    pytest.param(Delivery, DELIVERY_MOVES, Delivery.PLANNED, id="delivery"),
]
every_table = pytest.mark.parametrize(("states", "moves", "first"), TABLES)


def reachable(moves: Moves, first: StrEnum) -> set[StrEnum]:
    seen, ahead = {first}, [first]
    while ahead:
        new = moves[ahead.pop()] - seen
        seen |= new
        ahead += new
    return seen


@every_table
def test_every_state_has_its_moves_and_they_lead_to_states(
    states: type[StrEnum], moves: Moves, first: StrEnum
) -> None:
    assert set(moves) == set(states)
    assert set().union(*moves.values()) <= set(states)
    assert all(origin not in targets for origin, targets in moves.items())


@every_table
def test_every_state_can_be_reached(states: type[StrEnum], moves: Moves, first: StrEnum) -> None:
    assert reachable(moves, first) == set(states)


@every_table
def test_from_every_state_a_final_one_can_be_reached(
    states: type[Run | Batch | Delivery], moves: Moves, first: StrEnum
) -> None:
    for state in states:
        assert any(states(one).final for one in reachable(moves, state))


@every_table
def test_origins_are_the_table_read_backwards(
    states: type[StrEnum], moves: Moves, first: StrEnum
) -> None:
    for target in states:
        assert origins(moves, target) == [
            origin.value for origin in moves if target in moves[origin]
        ]


@every_table
def test_the_diagram_has_every_move_once(
    states: type[StrEnum], moves: Moves, first: StrEnum
) -> None:
    lines = mermaid(moves).splitlines()

    assert lines[:2] == ["stateDiagram-v2", f"    [*] --> {first}"]
    drawn = [tuple(line.strip().split(" --> ")) for line in lines[2:]]
    assert sorted(move for move in drawn if move[1] != "[*]") == sorted(
        (origin.value, target.value) for origin, targets in moves.items() for target in targets
    )
    ends = {origin for origin, target in drawn if target == "[*]"}
    assert ends == {state.value for state in states if not moves[state]}


def on_their_way(states: type[Run | Batch | Delivery]) -> set[str]:
    return {state.value for state in states if not state.final}


def test_only_what_is_on_its_way_is_not_final() -> None:
    assert on_their_way(Run) == {"due", "held", "planned", "sending"}
    assert on_their_way(Batch) == {"queued", "sending", "accepted"}
    assert on_their_way(Delivery) == {"planned", "sent"}


def test_a_final_run_is_never_sent_again_except_to_repair_it() -> None:
    for state in filter(lambda state: state.final, Run):
        repair = {Run.SENDING} if state is Run.SETTLED else set()
        assert RUN_MOVES[state] <= {Run.RECALLED} | repair


def test_a_late_answer_beats_intention() -> None:
    assert Batch.ACCEPTED in BATCH_MOVES[Batch.UNKNOWN] & BATCH_MOVES[Batch.CANCELED]
    for state in (Delivery.UNKNOWN, Delivery.CANCELED):
        assert {Delivery.SENT, Delivery.UNTRACKED} <= DELIVERY_MOVES[state]


def test_nothing_comes_back_after_a_recall() -> None:
    assert not RUN_MOVES[Run.RECALLED]
    assert not BATCH_MOVES[Batch.RECALLED]
    assert not DELIVERY_MOVES[Delivery.RECALLED]


def test_who_has_read_does_not_become_unread() -> None:
    assert Delivery.UNREAD not in DELIVERY_MOVES[Delivery.READ]
    assert Delivery.READ in DELIVERY_MOVES[Delivery.UNREAD]


def test_only_what_is_not_known_to_have_arrived_is_planned_again() -> None:
    assert set(origins(DELIVERY_MOVES, Delivery.PLANNED)) == {"dropped", "failed", "unknown"}


def test_only_seen_phones_count_as_arrived() -> None:
    assert {state for state in Delivery if state.arrived} == {Delivery.UNREAD, Delivery.READ}
