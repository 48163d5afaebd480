"""Constraints for every method: an augmented Lagrangian around ordinary runs."""
