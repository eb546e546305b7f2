"""Cosmic rays in Hubble's darks, beside published figures, simulated truth, and other libraries."""
