"""Dagster's page behind a guard: who may open it, who may command it, and a record of each command."""
