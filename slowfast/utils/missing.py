"""A package that is not installed: something to install, and no fault of the program."""


class MissingPackageError(ImportError):
    """The message says what needs the package, and how to get it. Commands print it alone, without a traceback."""

    def __str__(self) -> str:
        """One line: a loader process hands over its traceback, too, with the message at the end."""
        return next((line for line in reversed(super().__str__().splitlines()) if line.strip()), "").removeprefix(
            f"{__name__}.{type(self).__name__}: "
        )
