"""Simulators with known truth, writing the archives' own file formats."""
