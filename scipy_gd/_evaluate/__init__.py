"""The user's functions: who calls them, and where gradients come from."""
