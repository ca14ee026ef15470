"""The demo: an ordinary Django shop, deletable."""
