"""An app for tests alone: an API with every kind of field and the rarer kinds of views."""
