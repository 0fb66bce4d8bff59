"""The doors of the service: one table of routes, and what holds for every request."""
