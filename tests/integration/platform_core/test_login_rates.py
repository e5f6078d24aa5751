"""Failed logins are counted by name and by network, and only they."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from platform_core.database.tables import login_rates
from platform_core.errors import TooManyRequests
from platform_core.identity.login_rates import demand_login, forgive_login
from platform_core.settings import Settings


@pytest.fixture
def settings() -> Settings:
    return Settings(failed_logins_per_user=3, failed_logins_per_network=5)


def passes(connection: Connection, settings: Settings, name: str, address: str | None) -> bool:
    try:
        demand_login(connection, settings, name, address)
    except TooManyRequests:
        return False
    return True


def subjects(connection: Connection) -> set[str]:
    return set(connection.execute(sa.select(login_rates.c.subject)).scalars())


def test_no_more_attempts_pass_than_may_fail_however_many_come_at_once(engine: Engine, settings: Settings) -> None:
    def attempt(number: int) -> bool:
        with engine.begin() as connection:
            return passes(connection, settings, "ada", f"192.0.2.{number}")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, range(24))).count(True) == 3


def test_a_refusal_says_when_to_come_again(connection: Connection, settings: Settings) -> None:
    for _ in range(3):
        demand_login(connection, settings, "ada", None)
    with pytest.raises(TooManyRequests) as refused:
        demand_login(connection, settings, "ada", None)
    assert 90 <= refused.value.extensions["retry_after"] <= 100
    connection.execute(login_rates.update().values(free_at=login_rates.c.free_at - sa.text("interval '101 s'")))
    assert [passes(connection, settings, "ada", None) for _ in range(2)] == [True, False]


def test_a_login_that_did_not_fail_is_not_counted(connection: Connection, settings: Settings) -> None:
    for _ in range(20):
        demand_login(connection, settings, "ada", "192.0.2.1")
        forgive_login(connection, settings, "ada", "192.0.2.1")
    assert [passes(connection, settings, "ada", "192.0.2.1") for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8:0:0:ffff::2", "2001:db8:0:1::1"),
        ("fe80::1%eth0", "fe80::2", "fe80:0:0:1::1"),
    ],
)
def test_a_network_is_counted_whatever_names_it_tries(
    connection: Connection, settings: Settings, one: str, same: str, other: str
) -> None:
    assert all(passes(connection, settings, f"user-{n}", (one, same)[n % 2]) for n in range(5))
    assert not passes(connection, settings, "ada", one)
    assert not passes(connection, settings, "ada", same)
    assert passes(connection, settings, "ada", other)


@pytest.mark.parametrize("address", [None, "", "testclient"])
def test_what_is_no_address_counts_for_the_name_alone(
    connection: Connection, settings: Settings, address: str | None
) -> None:
    assert all(passes(connection, settings, f"user-{n}\0", address) for n in range(20))


def test_what_is_past_is_forgotten(connection: Connection, settings: Settings) -> None:
    demand_login(connection, settings, "ada", "192.0.2.1")
    connection.execute(login_rates.update().values(free_at=sa.text("clock_timestamp() - interval '1 s'")))
    demand_login(connection, settings, "eve", "192.0.2.2")
    assert subjects(connection) == {"user eve", "network 192.0.2.2"}


def test_ten_thousand_guesses_from_everywhere_keep_the_owner_out_no_longer_than_a_few_do(
    connection: Connection, settings: Settings
) -> None:
    addresses = [f"198.18.{number // 250}.{number % 250}" for number in range(10_000)]
    assert [passes(connection, settings, "ada", address) for address in addresses].count(True) < 10
    with pytest.raises(TooManyRequests) as refused:
        demand_login(connection, settings, "ada", "192.0.2.1")
    assert refused.value.extensions["retry_after"] <= 100
    connection.execute(login_rates.update().values(free_at=login_rates.c.free_at - sa.text("interval '101 s'")))
    assert passes(connection, settings, "ada", "192.0.2.1")
    assert passes(connection, settings, "bob", "192.0.2.1")
