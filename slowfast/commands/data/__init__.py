"""Data sets: made, prepared, converted, checked."""
