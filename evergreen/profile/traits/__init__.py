"""How the values of a table are written, when they occur and what goes with what, on a bounded sample."""
