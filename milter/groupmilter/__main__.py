"""``python -m groupmilter``: the same as the command ``groupmilter``."""

from groupmilter.cli import main

if __name__ == "__main__":
    main()
