from __future__ import annotations

import pytest

from orchestration.web.commands import Commands, read_commands

NOTHING = Commands(is_mutation=False, names=(), jobs=())


class TestReadCommands:
    @pytest.mark.parametrize("query", ["{ version }", "query Q { version }", "subscription { x }", "not GraphQL {", ""])
    def test_is_empty_without_a_mutation(self, query: str) -> None:
        assert read_commands(query, None) == NOTHING

    @pytest.mark.parametrize(
        "query",
        [
            "mutation { launchRun { __typename } }",
            "mutation { harmless: launchRun { __typename } }",
            "mutation { ... on Mutation { launchRun { __typename } } }",
            "mutation { ...F } fragment F on Mutation { ...G } fragment G on Mutation { launchRun { __typename } }",
            "query Q { version } mutation M { launchRun { __typename } }",
            "mutation { ...F } fragment F on Mutation { ...F launchRun { __typename } }",
        ],
    )
    def test_names_the_mutations_however_they_are_written(self, query: str) -> None:
        assert read_commands(query, None) == Commands(is_mutation=True, names=("launchRun",), jobs=())

    def test_names_the_jobs_in_variables_and_in_the_query(self) -> None:
        variables = {"params": [{"selector": {"pipelineName": "everything", "repositoryName": "r"}}], "x": 1}
        query = 'mutation M($params: P) { launchRun(a: {selector: {jobName: "monthly_reports"}}) { __typename } }'

        assert read_commands(query, variables).jobs == ("everything", "monthly_reports")

    def test_leaves_out_what_the_page_sends_by_itself(self) -> None:
        found = read_commands('mutation { logTelemetry(action: "x") { __typename } }', None)

        assert found == Commands(is_mutation=True, names=(), jobs=())
