"""Plug-ins: finding and loading them, and checking what they provide."""
