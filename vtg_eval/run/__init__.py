"""One run: setup, plan, requests, inference, journal, manifest, results."""
