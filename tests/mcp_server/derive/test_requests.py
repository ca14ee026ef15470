"""What a request sent through the project leaves behind: nothing."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.urls import Resolver404, get_script_prefix, resolve
from django.utils import timezone, translation

from mcp_server.derive.requests import Call, Origin, close, send
from tests.factories import make_user

ORIGIN = Origin("localhost", "https", "192.0.2.7")


class German:
    """Middleware of the project that is at home in Berlin and keeps notes in the session."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        translation.activate("de")
        timezone.activate("Europe/Berlin")
        request.session["seen"] = [request.get_host(), request.is_secure(), request.META["REMOTE_ADDR"]]
        request.session.save()
        return self.get_response(request)


@pytest.fixture
def call(settings: Any) -> Call:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.German"]
    return Call(resolve("/reorder/").func, "GET", "/reorder/")


def test_what_middleware_activates_for_the_thread_is_taken_back(db, call):
    before = translation.get_language(), timezone.get_current_timezone_name(), get_script_prefix()
    _, response = send(call, make_user(staff=True), ORIGIN)
    close(response)
    assert response.status_code == 200
    assert (translation.get_language(), timezone.get_current_timezone_name(), get_script_prefix()) == before


def test_no_session_stays_and_the_view_saw_where_the_message_came_from(db, call):
    request, response = send(call, make_user(staff=True), ORIGIN)
    close(response)
    assert request.session["seen"] == ["localhost", True, "192.0.2.7"]
    assert not Session.objects.exists()


def test_an_address_that_leads_elsewhere_is_not_called(db, call):
    with pytest.raises(Resolver404):
        send(Call(call.view, "GET", "/orders/"), make_user(staff=True), ORIGIN)
