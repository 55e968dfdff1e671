"""The commands: one file for each group of them. Nothing heavy is imported before a command needs it."""


def main() -> None:
    """Run the command line; the console script."""
    from groupmilter.cli.app import app

    app(prog_name="groupmilter")
