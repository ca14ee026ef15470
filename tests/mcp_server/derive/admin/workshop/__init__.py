"""An application with what other people's applications have: odd keys, odd forms, hooks that interfere."""
