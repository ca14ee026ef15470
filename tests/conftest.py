"""What every test needs of its databases."""

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Find out what each database can do while all may be asked: Django's checks want to know it in any test."""
    with django_db_blocker.unblock():
        assert all(connection.features.supports_json_field for connection in connections.all())
