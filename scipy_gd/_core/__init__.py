"""The machine: its state, its step rules, the lifted formulas, how it can end."""
