"""One run: plan, schedule, journal, manifest, score."""
