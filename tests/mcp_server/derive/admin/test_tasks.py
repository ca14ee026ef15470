"""The everyday tasks of an assistant that knows nothing but the list of tools stay as cheap as they are."""

import pytest
from django.core.management import call_command

from benchmarks.tasks import MAX_BYTES, MAX_CALLS, run


@pytest.mark.django_db
def test_sixteen_tasks_come_out_right_in_few_calls_and_bytes(monkeypatch, capsys):
    monkeypatch.setenv("MCP_TOKEN", "")
    call_command("seed_shop", verbosity=0)
    right, calls, read = run()
    assert right == 16, capsys.readouterr().out
    assert calls <= MAX_CALLS
    assert read <= MAX_BYTES
