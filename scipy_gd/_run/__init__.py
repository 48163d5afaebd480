"""From what the user gave to the result: the front doors and what a run is made of."""
