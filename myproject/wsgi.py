"""The pages as WSGI, for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from myproject.environment import refusals_in_one_sentence

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myproject.settings")
with refusals_in_one_sentence():
    application = get_wsgi_application()
