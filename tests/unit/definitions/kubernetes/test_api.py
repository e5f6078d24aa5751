"""Requests and what becomes of their failures."""

from __future__ import annotations

import pytest

from definitions.kubernetes.api import ClusterAway, ClusterError
from tests.unit.definitions import pods
from tests.unit.definitions.cluster import serving


def test_a_job_is_made_once_and_deleted_with_its_pods() -> None:
    with serving() as (cluster, api):
        made = api.create_job(pods.job())
        assert made["metadata"]["uid"]
        with pytest.raises(ClusterError) as refused:
            api.create_job(pods.job())
        assert (refused.value.status, refused.value.reason) == (409, "AlreadyExists")
        name = made["metadata"]["name"]
        assert api.delete_job(name, uid="u") is True
        assert cluster.bodies[-1] == {"propagationPolicy": "Background", "preconditions": {"uid": "u"}}
        assert api.delete_job(name) is False
        assert cluster.names("jobs") == []


def test_a_server_that_cannot_answer_now_is_away_and_not_a_refusal() -> None:
    with serving() as (cluster, api):
        cluster.away.set()
        with pytest.raises(ClusterAway):
            api.create_job(pods.job())


def test_a_server_that_cannot_be_reached_is_away() -> None:
    with serving() as (_, api):
        pass
    with pytest.raises(ClusterAway):
        api.list_kind("pods")


def test_a_pod_that_is_not_there_is_none() -> None:
    with serving() as (cluster, api):
        assert api.read_pod("x") is None
        cluster.change("pods", pods.pod("x"))
        found = api.read_pod("x")
        assert found is not None
        assert found["metadata"]["name"] == "x"
        assert api.delete_pod("x", grace=10) is True
        assert cluster.bodies[-1] == {"gracePeriodSeconds": 10}
