"""F03. Kill -9 inside the transaction that publishes a part: the old part is whole."""

import os
import random
import signal

import pytest

from tests.acceptance.house import until
from tests.acceptance.store import ON_BOTH
from tests.faults import oracle

SEED = int(os.environ.get("KILL_SEED", "1"))


@pytest.mark.slow
@ON_BOTH
def test_f03_a_reader_sees_the_old_part_while_one_is_published_and_after_the_kill(
    build_office, database, record_property
):
    """At a statement by chance, while the transaction is open and after it was cut off."""
    office = build_office(database=database)
    house = office.house
    before = office.loaded()
    moment = random.Random(SEED).randint(10, 60)
    record_property("summary", f"F03, seed {SEED}: killed at statement {moment} of publishing")
    office.engine(fail_at=f"publish:{moment}:stop")
    run = office.ask()
    office.reached()
    child = office.child(run)
    after = oracle.wanted(house)
    done = office.published(run)
    open_ = oracle.state(house.data)
    assert open_ == {part: (after if part in done else before).get(part, {}) for part in open_}
    os.kill(child, signal.SIGKILL)
    until(lambda: office.run(run).attempt == 2, "the second attempt")
    assert oracle.data_are_legal(house, before, after, since=1) == []
    office.ended(run, "success")
    assert oracle.state(house.data) == after
    assert office.wrong(before, since=1) == []
