"""Dagster's assets, thin: each calls a pipeline's function and maps its result to metadata."""
