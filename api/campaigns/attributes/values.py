"""The values of members, checked against the attributes that their campaign has defined.

A campaign that has defined none allows any attributes, which only managers set: as in imported elections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from api.campaigns import errors
from api.campaigns.attributes.models import AttributeKind, MemberAttribute
from api.kernel.spreadsheets import column_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

VALUE_LENGTH_MAX = 200
_NAMED_MAX = 20


@dataclass(frozen=True)
class Question:
    """An attribute that a person who joins is asked for, and the value that is known already, or ""."""

    key: str
    label: str
    options: list[str]
    is_required: bool
    value: str


@dataclass(frozen=True)
class DefinedAttributes:
    """The attributes that a campaign has defined, in their order."""

    definitions: Sequence[MemberAttribute]

    def fitting(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values that the campaign allows now."""
        return {key: value for key, value in values.items() if self.find_fault(key, value) is None}

    def find_fault(self, key: str, value: object) -> str | None:
        """What is wrong with a value, as the end of a sentence that begins with the key; None if nothing is."""
        if not self.definitions:
            return None
        definition = self._find(key)
        if definition is None:
            keys = ", ".join(each.key for each in self.definitions)
            return f"is no attribute of this campaign; its attributes are {keys}"
        if not isinstance(value, str) or not 1 <= len(value) <= VALUE_LENGTH_MAX:
            return f"is a text of 1 to {VALUE_LENGTH_MAX} characters"
        if definition.kind == AttributeKind.CHOICE and value not in definition.options:
            more = ", ..." if len(definition.options) > _NAMED_MAX else ""
            return f"is one of {', '.join(definition.options[:_NAMED_MAX])}{more}, not {value!r}"
        return None

    def find_faults(self, values: Mapping[str, Any], *, before: Mapping[str, Any] | None = None) -> dict[str, str]:
        """What is wrong, by key. Values that are as `before` are not checked."""
        known = before or {}
        faults = {
            key: self.find_fault(key, value) for key, value in values.items() if key not in known or known[key] != value
        }
        return {key: fault for key, fault in faults.items() if fault is not None}

    def find_missing(self, values: Mapping[str, Any]) -> dict[str, str]:
        """The required attributes without a value."""
        return {each.key: "is required" for each in self.definitions if each.is_required and each.key not in values}

    def check(
        self, values: Mapping[str, Any], *, before: Mapping[str, Any] | None = None, is_complete: bool = False
    ) -> None:
        """Check values that a manager sets; with `is_complete` also that none is missing.

        Raises:
            AttributesRefused: a value is not allowed, or a required one is missing.
        """
        _refuse(self.find_faults(values, before=before) | (self.find_missing(values) if is_complete else {}))

    def with_answers(self, values: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a person who joins: those that are known, with the person's answers.

        A known value that only managers change stays as it is.

        Raises:
            AttributesRefused: an answer is not allowed or not asked for, or a required one is missing.
        """
        if not self.definitions:
            _refuse(dict.fromkeys(answers, "is not asked for; this campaign defines no attributes"))
            return dict(values)
        known = self.fitting(values)
        faults = self.find_faults(answers, before=known)
        for key, value in answers.items():
            definition = self._find(key)
            if definition is None or known.get(key) == value:
                continue
            if not definition.is_editable and key in known:
                faults.setdefault(key, f"is {known[key]!r}; only managers change it")
            elif not definition.is_asked and not definition.is_editable:
                faults.setdefault(key, "is set by managers only")
        merged = known | dict(answers)
        _refuse(faults | self.find_missing(merged))
        return merged

    def questions(self, values: Mapping[str, Any]) -> list[Question]:
        """What a person with these values is asked for when they join."""
        known = self.fitting(values)
        return [
            Question(each.key, each.label, each.options, each.is_required, known.get(each.key, ""))
            for each in self.definitions
            if each.is_asked and (each.is_editable or each.key not in known)
        ]

    def with_own_changes(self, values: Mapping[str, Any], changes: Mapping[str, str | None]) -> dict[str, Any]:
        """The values of a member after the member's own changes; None removes a value.

        Raises:
            AttributesRefused: a value is not allowed, only managers change it, or a required one would be removed.
        """
        own = {each.key for each in self.definitions if each.is_editable}
        faults = {
            key: "is changed by managers only"
            for key, value in changes.items()
            if key not in own and value != values.get(key) and (not self.definitions or self._find(key) is not None)
        }
        _refuse(faults)
        return self.with_changes(values, changes)

    def with_changes(self, values: Mapping[str, Any], changes: Mapping[str, str | None]) -> dict[str, Any]:
        """The values of a member after changes; None removes a value.

        Raises:
            AttributesRefused: a value is not allowed, or a required one would be removed.
        """
        changed = {key: value for key, value in (dict(values) | dict(changes)).items() if value is not None}
        faults = self.find_faults({key: value for key, value in changes.items() if value is not None}, before=values)
        missing = {key: text for key, text in self.find_missing(changed).items() if key in changes}
        _refuse(faults | missing)
        return changed

    def by_column(self) -> dict[str, str]:
        """The keys by the names of the columns of lists that have them: by the key, and by the label."""
        return {column_name(each.label): each.key for each in self.definitions} | {
            each.key: each.key for each in self.definitions
        }

    def _find(self, key: str) -> MemberAttribute | None:
        return next((each for each in self.definitions if each.key == key), None)


async def get_defined(session: AsyncSession, campaign_id: UUID) -> DefinedAttributes:
    """The attributes that a campaign has defined.

    A caller that stores values holds a lock of the campaign, so that the definitions do not change meanwhile.
    """
    found = await session.scalars(
        select(MemberAttribute)
        .where(MemberAttribute.campaign_id == campaign_id)
        .order_by(MemberAttribute.position, MemberAttribute.id)
    )
    return DefinedAttributes(found.all())


def _refuse(faults: Mapping[str, str]) -> None:
    if faults:
        msg = f"{'; '.join(f'{key} {fault}' for key, fault in sorted(faults.items()))}."
        raise errors.AttributesRefused(msg, faults=dict(sorted(faults.items())))
