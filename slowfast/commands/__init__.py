"""The commands that `bmvit` and the scripts of `tools/` run; one module each, with `main(argv, prog) -> exit code`."""
