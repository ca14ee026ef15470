"""Pages of every kind: generic views that write, mixins, and decorators in odd places."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.auth.decorators import permission_required, user_passes_test
from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin, UserPassesTestMixin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from django.views.generic import CreateView, DeleteView, FormView, TemplateView, UpdateView

from tests.everything.models import Gadget, Label


class GadgetForm(forms.ModelForm):
    class Meta:
        model = Gadget
        fields = ["name", "in_use", "count", "price", "made_on", "grade", "label", "labels", "manual"]


class GadgetPage(PermissionRequiredMixin):
    model = Gadget
    form_class = GadgetForm
    template_name = "everything/form.html"
    success_url = reverse_lazy("done")


class MakeGadget(GadgetPage, CreateView):
    """Make a gadget."""

    permission_required = "everything.add_gadget"


class ChangeGadget(GadgetPage, UpdateView):
    """Change a gadget."""

    permission_required = ("everything.change_gadget",)


class DeleteGadget(GadgetPage, DeleteView):
    """Delete a gadget."""

    form_class = forms.Form
    permission_required = "everything.delete_gadget"


class Question(forms.Form):
    colours = forms.MultipleChoiceField(choices=[("red", "Red"), ("green", "Green")])
    really = forms.NullBooleanField(required=False)
    extra = forms.JSONField(required=False)
    when = forms.DateTimeField(required=False)
    name = forms.CharField(required=False, help_text="Who asks")

    def clean(self) -> None:
        if self.cleaned_data.get("name") == "mallory":
            raise forms.ValidationError("Not you.")


class Ask(UserPassesTestMixin, FormView):
    """Ask a question."""

    form_class = Question
    template_name = "everything/form.html"

    def test_func(self) -> bool:
        return self.request.user.get_username() != "grace"

    def form_valid(self, form: Question) -> HttpResponse:
        return JsonResponse({key: str(value) for key, value in form.cleaned_data.items()})


@method_decorator([permission_required("everything.view_label", raise_exception=True), require_GET], name="dispatch")
class Labels(LoginRequiredMixin, TemplateView):
    """Show the labels."""

    template_name = "everything/form.html"


def forgetful(func: Callable[..., Any]) -> Callable[..., Any]:
    def inner(request: Any, *args: Any, **kwargs: Any) -> Any:
        return func(request, *args, **kwargs)

    return inner


@forgetful
@user_passes_test(lambda user: user.is_staff)
@forgetful
@require_POST
def ring(request: HttpRequest, times: int, key: Any, rest: str) -> JsonResponse:
    """Ring the bell."""
    return JsonResponse({"times": times, "key": str(key), "rest": rest})


@csrf_exempt
@require_POST
def hook(request: HttpRequest) -> HttpResponse:
    """Take what a machine sends."""
    return HttpResponse("taken")


async def slow(request: HttpRequest) -> HttpResponse:
    """Answer in its own time."""
    user = await request.auser()
    return HttpResponse(f"hello {user.get_username()}", content_type="text/plain")


def year(request: HttpRequest, year: str) -> HttpResponse:
    """Show a year."""
    return HttpResponse(f"<h1>{year}</h1><ul><li>{Label.objects.count()} labels</ul>")


def broken(request: HttpRequest) -> HttpResponse:
    """Fail."""
    raise RuntimeError("the secret ingredient is salt")


def done(request: HttpRequest) -> HttpResponse:
    """Show nothing."""
    return HttpResponse()


class Rows(UserPassesTestMixin, TemplateView):
    """Its rule asks for the row."""

    def test_func(self) -> bool:
        return bool(self.kwargs["pk"])
