"""What is written of predictions: tables, JSON lines, drawn videos, the player."""
