"""Whom a notice reaches: unknown people, pace, daily limits, duplicates."""

from dingbell.sandbox.cloud import Call
from dingbell.sandbox.company.world import Person
from dingbell.sandbox.rules.ledger import DAILY_CAP, DUPLICATE, ORG_PACE, Day
from dingbell.sandbox.rules.tasks import Outcome, SendCall
from dingbell.sandbox.wire.refusals import RefusalError

PROTECTED = 1430004


def deliver(call: Call, record: SendCall, text: str) -> Outcome:
    """Sort everybody the call is for into delivered, dropped, invalid and failed.

    Pace is asked first, in the order of the recipients; whoever passes it counts, even if the
    notice is then refused as a duplicate.
    """
    outcome = Outcome()
    people = _invite(_audience(call, record, outcome), call, outcome)
    ledger, now = call.cloud.ledger, call.received_at
    room, code = ledger.people_room(call.app, now, call.cloud.limits)
    for person in people[room:]:
        outcome.dropped[person.userid] = code
    passed = people[:room]
    ledger.count_people(call.app, now, len(passed))
    _hand_out(passed, call, text, outcome)
    return outcome


def _audience(call: Call, record: SendCall, outcome: Outcome) -> dict[str, Person | None]:
    """Everybody the call is for, each once: those named, then departments, or the company."""
    company = call.cloud.company
    if record.to_all:
        return {person.userid: person for person in company.staff() if person.reachable}
    known = company.people
    found = {userid: known.get(userid) for userid in record.userids}
    for dept_id in dict.fromkeys(record.dept_ids):
        if dept_id not in company.departments:
            outcome.invalid_depts.append(dept_id)
            continue
        members = company.members_below(dept_id)
        found.update((userid, person) for userid, person in members.items() if person.reachable)
    return found


def _invite(found: dict[str, Person | None], call: Call, outcome: Outcome) -> list[Person]:
    people: list[Person] = []
    for userid, person in found.items():
        if person is None or not person.reachable:
            outcome.invalid.append(userid)
        else:
            people.append(person)
    most = call.cloud.limits.people_per_call
    if len(people) > most:
        if call.cloud.limits.excess_is_error:
            raise RefusalError(41029)
        outcome.dropped.update((person.userid, ORG_PACE) for person in people[most:])
    return people[:most]


def _hand_out(people: list[Person], call: Call, text: str, outcome: Outcome) -> None:
    agent_id = call.app.agent_id
    day: Day = call.cloud.ledger.day(call.received_at)
    seen, notices = day.seen[agent_id, text], day.notices[agent_id]
    most = call.cloud.limits.daily_per_person
    for person in people:
        userid = person.userid
        if person.protected:
            outcome.dropped[userid] = PROTECTED
        elif userid in seen:
            outcome.dropped[userid] = DUPLICATE
        elif notices.get(userid, 0) >= most:
            outcome.dropped[userid] = DAILY_CAP
        elif person.unreachable:
            outcome.failed.append(userid)
        else:
            seen.add(userid)
            notices[userid] = notices.get(userid, 0) + 1
            outcome.delivered.append(person)
