"""Real servers and small conveniences for the tests; nothing in here is part of the installed program."""
