"""A checkpoint's folder: which adapter serves it, what it sets, its digest."""
