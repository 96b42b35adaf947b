"""Streets that the project renders itself, and the demo that drives through them."""
