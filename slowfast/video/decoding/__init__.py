"""What decoding one file needs to know: which stream, which way up, what its clock does, where its frames are."""
