"""From the user's input to the result: the entry points and the parts of a run."""
