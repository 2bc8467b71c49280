"""Networks by name, their cost, and weights of other projects."""
