"""What a GraphQL request would change: the mutations in it, and the jobs that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    parse,
    visit,
)
from graphql.language import ObjectFieldNode, Visitor

# The page sends them by itself, and they change nothing of the data platform.
_HOUSEKEEPING = frozenset({"logTelemetry", "setNuxSeen"})
_JOB_KEYS = frozenset({"jobName", "pipelineName"})
_NAMES_MAX = 100


@dataclass(frozen=True)
class Commands:
    """The mutations of a request, e.g. `launchRun`, and the jobs that it names; `is_mutation` also for housekeeping."""

    is_mutation: bool
    names: tuple[str, ...]
    jobs: tuple[str, ...]


def read_commands(query: str, variables: Mapping[str, Any] | None) -> Commands:
    """The commands in a query. A document with any mutation counts, whichever of its operations is chosen.

    A query that cannot be parsed has none: Dagster refuses it.
    """
    try:
        document = parse(query)
    except GraphQLError:
        return Commands(is_mutation=False, names=(), jobs=())
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    mutations = [
        each
        for each in document.definitions
        if isinstance(each, OperationDefinitionNode) and each.operation is OperationType.MUTATION
    ]
    if not mutations:
        return Commands(is_mutation=False, names=(), jobs=())
    names = {name for mutation in mutations for name in _fields(mutation.selection_set, fragments, frozenset())}
    jobs = {*_jobs_in_variables(variables), *_jobs_in_document(document)}
    return Commands(
        is_mutation=True,
        names=tuple(sorted(names - _HOUSEKEEPING))[:_NAMES_MAX],
        jobs=tuple(sorted(jobs))[:_NAMES_MAX],
    )


def _fields(
    selection: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], entered: frozenset[str]
) -> Iterator[str]:
    """The fields of an operation itself, those of its fragments included."""
    for each in selection.selections:
        if isinstance(each, FieldNode):
            yield each.name.value
        elif isinstance(each, InlineFragmentNode):
            yield from _fields(each.selection_set, fragments, entered)
        elif isinstance(each, FragmentSpreadNode):
            name = each.name.value
            if name in fragments and name not in entered:
                yield from _fields(fragments[name].selection_set, fragments, entered | {name})


def _jobs_in_variables(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key in _JOB_KEYS and isinstance(each, str):
                yield each
            else:
                yield from _jobs_in_variables(each)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for each in value:
            yield from _jobs_in_variables(each)


class _JobArguments(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> None:
        if node.name.value in _JOB_KEYS and isinstance(node.value, StringValueNode):
            self.found.add(node.value.value)


def _jobs_in_document(document: DocumentNode) -> set[str]:
    arguments = _JobArguments()
    visit(document, arguments)
    return arguments.found
