"""The machine: its state, step rules, lifted formulas and endings."""
