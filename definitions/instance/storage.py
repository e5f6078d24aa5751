"""Dagster's storage on Headrace's database: one pooled engine under runs, events and schedules.

Internals used: `DagsterStorage` as a custom storage (dagster.yaml `storage: custom`), and the `_engine` attribute of
dagster-postgres' storages, which by default open a new connection for every statement (FINDINGS section 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from dagster import DagsterInstance, Field, StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.runs.base import RunStorage
from dagster._core.storage.schedules.base import ScheduleStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from definitions.instance.event_storage import PooledEventStorage, event_storage_of
from definitions.instance.run_storage import PooledRunStorage
from definitions.instance.schedule_storage import TimerScheduleStorage
from platform_core.database.engine import build_engine, plain_url, public_url
from platform_core.settings import Settings


class PooledStorage(DagsterStorage, ConfigurableClass):
    """The three storages of a Dagster instance over one engine; configured by `postgres_url` alone."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        postgres_url = public_url(postgres_url)
        # READ COMMITTED would make a transaction of every read; Dagster's storages expect AUTOCOMMIT.
        self.engine = build_engine(postgres_url, isolation_level="AUTOCOMMIT")
        url = plain_url(postgres_url)
        self._run_storage = PooledRunStorage(url, self.engine)
        self._event_log_storage = PooledEventStorage(url, self.engine, self._run_storage)
        self._schedule_storage = TimerScheduleStorage(url, self.engine)
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster does not annotate it

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"postgres_url": Field(StringSource)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledStorage:
        return cls(config_value["postgres_url"], inst_data)

    @property
    def event_log_storage(self) -> EventLogStorage:
        return self._event_log_storage

    @property
    def run_storage(self) -> RunStorage:
        return self._run_storage

    @property
    def schedule_storage(self) -> ScheduleStorage:
        return cast(ScheduleStorage, self._schedule_storage)

    @property
    def event_storage_data(self) -> ConfigurableClassData | None:
        return None

    @property
    def run_storage_data(self) -> ConfigurableClassData | None:
        return None

    @property
    def schedule_storage_data(self) -> ConfigurableClassData | None:
        return None


def migrate(settings: Settings) -> None:
    """Create Dagster's tables in the settings' database, or bring them to the installed Dagster's revision."""
    assert settings.database_url is not None
    url = plain_url(public_url(settings.database_url))
    for storage in (PostgresRunStorage(url), PostgresEventLogStorage(url), PostgresScheduleStorage(url)):
        storage.upgrade()


def dispose_connections(instance: DagsterInstance) -> None:
    """Close the instance's pooled connections; before a fork, which must not copy one."""
    event_storage_of(instance).dispose_connections()
