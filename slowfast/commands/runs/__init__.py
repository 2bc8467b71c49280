"""What a run is started, watched, checked and shown with."""
