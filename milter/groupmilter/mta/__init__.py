"""The MTA's side: milter callbacks, gathering facts, carrying out a plan."""
