"""Where frames come from: files, folders and patterns, and the clips around key frames in one pass."""
