"""Live video: cameras, streams by URL and standard input, read by a thread that keeps only the newest frames."""
