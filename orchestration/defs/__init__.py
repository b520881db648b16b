"""Dagster's assets: each calls a function of the pipelines and maps its result to metadata."""
