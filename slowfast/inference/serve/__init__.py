"""A page on one's own machine: drop a video, watch progress, watch the result in the player."""
