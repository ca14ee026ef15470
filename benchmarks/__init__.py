"""How fast a call is, measured side by side with what it is compared to."""
