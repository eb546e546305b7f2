"""Tiny valid files, each in one call, and the lies that can be told in them."""
