"""An application with something to hide: secrets by odd names, rows with owners, fields for some people only."""
