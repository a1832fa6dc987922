"""A checkpoint's folder: its adapter, its profile, its digest."""
