"""The gateways behind the sources: which, how gently each is to be asked, and what is told of it."""

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.spec import Gateways
from fetchers.core.wire.courtesy import Budget
from panel import gateways
from panel.config import Config, load
from panel.models import DataSync
from tests.panel import gateway_states as states

Factory = sessionmaker[Session]
AddSync = Callable[..., DataSync]


def behind(factory: Factory, config: Config) -> dict[str, tuple[tuple[str, ...], Budget]]:
    with factory() as session:
        return {one.address: (one.sources, one.budget) for one in gateways.gateways(session, config)}


def test_sources_of_one_gateway_share_the_smallest_of_their_settings(
    factory: Factory, add_sync: AddSync, instance: Config
) -> None:
    add_sync("faculty", settings={"base_url": states.ADDRESS, "requests_per_second": 2})
    add_sync(
        "students",
        settings={"base_url": f"{states.ADDRESS}:443/api", "connections": 3, "requests_per_second": 0},
    )
    assert behind(factory, instance) == {states.ADDRESS: (("faculty", "students"), Budget(3, 2.0))}


def test_two_gateways_have_a_budget_each_and_a_source_without_one_has_none(
    factory: Factory, add_sync: AddSync, instance: Config
) -> None:
    add_sync("faculty", settings={"base_url": "http://a.example:8000"})
    add_sync("students", settings={"base_url": "http://b.example", "connections": 1})
    add_sync("broken", settings={"base_url": "http://c.example"})
    assert behind(factory, instance) == {
        "http://a.example:8000": (("faculty",), Budget(4, 4.0)),
        "http://b.example": (("students",), Budget(1, 4.0)),
    }


@pytest.mark.parametrize("address", ["", "nonsense", "ftp://x/", "http://[::1"])
def test_an_address_that_is_none_stops_nobody(
    factory: Factory, add_sync: AddSync, instance: Config, address: str
) -> None:
    add_sync("faculty", settings={"base_url": address})
    assert behind(factory, instance) == {}


def test_the_environments_address_wins(factory: Factory, add_sync: AddSync, instance: Config) -> None:
    add_sync("faculty", settings={"base_url": "http://a.example"})
    config = load({"PANEL_INSTANCE": str(instance.instance), "GOLESTAN_BASE_URL": "http://b.example"})
    assert list(behind(factory, config)) == ["http://b.example"]


def test_a_child_is_told_the_folder_and_every_budget(
    factory: Factory, add_sync: AddSync, instance: Config
) -> None:
    add_sync("faculty", settings={"base_url": states.ADDRESS})
    with factory() as session:
        told = Gateways.model_validate(gateways.for_a_child(session, instance))
    assert told.folder == str(instance.instance / "gateways")
    assert told.budgets[states.ADDRESS].connections == 4


@pytest.mark.parametrize(
    ("leave", "light", "state"),
    [
        (states.well, "green", "well"),
        (states.slow, "amber", "slow"),
        (states.failing, "amber", "failing"),
        (states.paused, "amber", "paused"),
        (states.down, "red", "down"),
        (None, "none", "unknown"),
    ],
)
def test_a_lamp_for_each_state(
    factory: Factory,
    add_sync: AddSync,
    instance: Config,
    leave: Callable[[Config], None] | None,
    light: str,
    state: str,
) -> None:
    add_sync("faculty", settings={"base_url": states.ADDRESS})
    if leave is not None:
        leave(instance)
    with factory() as session:
        [one] = gateways.gateways(session, instance)
        told = one.to_dict()
    assert (told["light"], told["state"], told["sources"]) == (light, state, ["faculty"])
    assert (told["asked_again_at"] is not None) == (state in ("paused", "down"))
    assert (told["error_message"] is not None) == (state in ("failing", "paused", "down"))
    assert told["pace"] == (0.5 if state == "slow" else 1.0)


def test_a_state_that_cannot_be_read_is_unknown_and_no_error(
    factory: Factory, add_sync: AddSync, instance: Config
) -> None:
    add_sync("faculty", settings={"base_url": states.ADDRESS})
    states.down(instance)
    [path] = gateways.folder(instance).glob("*/state.json")
    path.unlink()
    path.mkdir()
    with factory() as session:
        assert [one.light for one in gateways.gateways(session, instance)] == ["none"]
