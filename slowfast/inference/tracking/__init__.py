"""People followed from key frame to key frame, and what happens between key frames."""
