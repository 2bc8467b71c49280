"""Tasks: what is trained, how it is tested, and what a test leaves behind. The engine knows only `Task`."""
