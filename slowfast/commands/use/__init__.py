"""A trained model at work: predict, export, serve."""
