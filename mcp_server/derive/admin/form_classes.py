"""The form class of a ModelAdmin, also where it says so with a functools.partial."""

from functools import partial
from typing import Any


def form_class_of(admin: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what the ModelAdmin's get_form returns; for a partial a class that passes its arguments on."""
    return _whole(admin.get_form(*args, **kwargs))


def _whole(form: Any) -> Any:
    # The fields of the class are asked for too.
    if not isinstance(form, partial):
        return form
    kind = _whole(form.func)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        kind.__init__(self, *form.args, *args, **{**form.keywords, **kwargs})

    # Past the metaclass, which would build every field a second time.
    return type.__new__(type(kind), kind.__name__, (kind,), {"__module__": kind.__module__, "__init__": init})
