"""F13. The run's process has started helpers: one in its group, and one that left it."""

import pytest

from panel.engine import process
from tests.acceptance.house import until


@pytest.mark.slow
@pytest.mark.parametrize("end", ["cancelled", "success"])
def test_f13_nothing_that_a_run_has_started_outlives_it(build_office, end):
    """Nothing of the process group survives, nor what left the group."""
    office = build_office("--latency", "700" if end == "cancelled" else "0")
    office.engine(fail_at="fetch:4:helpers")
    run = office.ask()
    office.reached()
    uuid = office.run(run).uuid
    if end == "cancelled":
        until(lambda: len(process.of_run(uuid)) == 3, "the helpers")
        assert office.cancel(run)
    office.ended(run, end)
    assert process.of_run(uuid) == []
    assert office.wrong({}) == []
