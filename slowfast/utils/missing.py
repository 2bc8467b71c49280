"""A package that is not installed: something to install, and no fault of the program."""


class MissingPackageError(ImportError):
    """The message says what needs the package, and how to get it. Commands print it alone, without a traceback."""
