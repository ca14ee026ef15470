"""Tools made from what Django already knows: the admin, the API, views and models."""
