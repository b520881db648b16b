"""The attributes of members that a campaign defines: managers create, change, order and delete them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, literal, select, text

from api.campaigns import errors
from api.campaigns.attributes.models import AttributeKind, MemberAttribute
from api.campaigns.attributes.values import DefinedAttributes, get_defined
from api.campaigns.lifecycle import Command
from api.campaigns.queries import get_campaign
from api.campaigns.transitions import check_command
from api.events import payloads
from api.events.service import record_event
from api.kernel.errors import InvalidInput
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

ATTRIBUTES_MAX = 20

# a person counts once; those who have left count too, because they get their values again when they return
_COUNTS = text(
    """
    SELECT e.key, count(DISTINCT m.user_id) AS members FROM app.memberships AS m, jsonb_object_keys(m.attributes) AS e (key)
    WHERE m.campaign_id = :campaign_id
    GROUP BY e.key
    """
)
_OTHER_VALUES = text(
    """
    SELECT m.attributes ->> :key AS value, count(DISTINCT m.user_id) AS members FROM app.memberships AS m
    WHERE m.campaign_id = :campaign_id AND m.attributes ? :key
        AND NOT app.member_attribute_fits(m.attributes -> :key, :kind, CAST(:options AS text[]))
    GROUP BY 1 ORDER BY 2 DESC, 1
    """
)
_REMOVE_VALUES = text(
    """
    WITH removed AS (
        UPDATE app.memberships AS m SET attributes = m.attributes - CAST(:key AS text), updated_at = now(), updated_by = :actor_id
        WHERE m.campaign_id = :campaign_id AND m.attributes ? :key
            AND (CAST(:values AS text[]) IS NULL OR m.attributes ->> :key = ANY (:values))
        RETURNING m.user_id
    )
    SELECT count(DISTINCT r.user_id) FROM removed AS r
    """
)
_VALUES_NAMED_MAX = 20


async def list_definitions(session: AsyncSession, campaign_id: UUID) -> list[MemberAttribute]:
    """The attributes in their order."""
    return list((await get_defined(session, campaign_id)).definitions)


async def count_members(session: AsyncSession, campaign_id: UUID) -> dict[str, int]:
    """The number of people with a value, by the key of the attribute; also of those who have left."""
    rows = await session.execute(_COUNTS, {"campaign_id": campaign_id})
    return {row.key: row.members for row in rows}


async def create_definition(
    session: AsyncSession,
    campaign: Campaign,
    fields: dict[str, Any],
    *,
    actor_id: UUID,
    remove_values: bool = False,
) -> MemberAttribute:
    """Define an attribute. Values that members have under its key are kept, if it allows them.

    Raises:
        CampaignNotActive: the campaign has ended.
        AttributeKeyTaken: the campaign has an attribute with this key.
        TooManyAttributes: the campaign has the largest number of attributes.
        AttributeInUse: members have values that it does not allow, and `remove_values` is false.
        InvalidInput: the kind and the options, or the rules, contradict each other.
    """
    defined = await _lock(session, campaign)
    if len(defined.definitions) >= ATTRIBUTES_MAX:
        msg = f"A campaign has at most {ATTRIBUTES_MAX} attributes of its members."
        raise errors.TooManyAttributes(msg, limit=ATTRIBUTES_MAX)
    if any(each.key == fields["key"] for each in defined.definitions):
        msg = f"The campaign has the attribute {fields['key']!r}."
        raise errors.AttributeKeyTaken(msg)
    definition = MemberAttribute(
        id=uuid7(), campaign_id=campaign.id, created_by=actor_id, updated_by=actor_id, **fields
    )
    _check_rules(definition)
    members = await _remove_others(session, definition, actor_id, is_allowed=remove_values)
    session.add(definition)
    await session.flush()
    await _record(session, definition, "created", sorted(fields), members, actor_id)
    return definition


async def edit_definition(
    session: AsyncSession,
    campaign: Campaign,
    attribute_id: UUID,
    changes: dict[str, Any],
    *,
    actor_id: UUID,
    remove_values: bool = False,
) -> MemberAttribute:
    """Change fields of an attribute by name; the key stays.

    Raises:
        CampaignNotActive: the campaign has ended.
        AttributeNotFound: the campaign has no such attribute.
        AttributeInUse: members have values that it would no longer allow, and `remove_values` is false.
        InvalidInput: the kind and the options, or the rules, contradict each other.
    """
    definition = _find(await _lock(session, campaign), attribute_id)
    changed = sorted(name for name, value in changes.items() if value != getattr(definition, name))
    if not changed:
        return definition
    for name in changed:
        setattr(definition, name, changes[name])
    if changes.get("kind") == AttributeKind.TEXT:
        definition.options = []
    definition.updated_by = actor_id
    with session.no_autoflush:
        _check_rules(definition)
        members = await _remove_others(session, definition, actor_id, is_allowed=remove_values)
    await session.flush()
    await _record(session, definition, "edited", changed, members, actor_id)
    return definition


async def delete_definition(
    session: AsyncSession, campaign: Campaign, attribute_id: UUID, *, actor_id: UUID, remove_values: bool = False
) -> int:
    """Delete an attribute; returns the number of people whose value was removed, with those who have left.

    Raises:
        CampaignNotActive: the campaign has ended.
        AttributeNotFound: the campaign has no such attribute.
        AttributeInUse: members have a value, and `remove_values` is false.
    """
    definition = _find(await _lock(session, campaign), attribute_id)
    used = (await count_members(session, campaign.id)).get(definition.key, 0)
    if used and not remove_values:
        raise _in_use(definition, used, f"{used} people have a value of {definition.key!r}")
    members = await _remove_values(session, definition, None, actor_id) if used else 0
    await session.delete(definition)
    await session.flush()
    await _record(session, definition, "deleted", [], members, actor_id)
    return members


async def copy_definitions(session: AsyncSession, from_id: UUID, to_id: UUID, *, actor_id: UUID) -> None:
    """Give a campaign without attributes those of another one."""
    names = ("key", "label", "kind", "options", "is_required", "is_asked", "is_editable", "position")
    copied = select(
        literal(to_id), *(getattr(MemberAttribute, name) for name in names), literal(actor_id), literal(actor_id)
    ).where(MemberAttribute.campaign_id == from_id).order_by(MemberAttribute.position, MemberAttribute.id)  # fmt: skip
    await session.execute(
        insert(MemberAttribute).from_select(
            ["campaign_id", *names, "created_by", "updated_by"], copied, include_defaults=False
        )
    )


async def _lock(session: AsyncSession, campaign: Campaign) -> DefinedAttributes:
    """The definitions; no other transaction changes them, and none stores values of members meanwhile."""
    campaign = await get_campaign(session, campaign.id, lock="change")
    await check_command(session, campaign, Command.EDIT)
    return await get_defined(session, campaign.id)


def _find(defined: DefinedAttributes, attribute_id: UUID) -> MemberAttribute:
    for definition in defined.definitions:
        if definition.id == attribute_id:
            return definition
    msg = f"The campaign has no attribute of its members with the id {attribute_id}."
    raise errors.AttributeNotFound(msg)


def _check_rules(definition: MemberAttribute) -> None:
    if (definition.kind == AttributeKind.CHOICE) != bool(definition.options):
        msg = "An attribute of the kind choice has options, and one of the kind text has none."
        raise InvalidInput(msg)
    if definition.is_required and not definition.is_asked:
        msg = "A required attribute is asked for when people join; set is_asked too."
        raise InvalidInput(msg)


async def _remove_others(
    session: AsyncSession, definition: MemberAttribute, actor_id: UUID, *, is_allowed: bool
) -> int:
    """Remove the values that a definition does not allow; returns from how many people."""
    values = {
        "campaign_id": definition.campaign_id, "key": definition.key, "kind": definition.kind, "options": definition.options,
    }  # fmt: skip
    others = {row.value: row.members for row in await session.execute(_OTHER_VALUES, values)}
    if not others:
        return 0
    members = sum(others.values())
    if not is_allowed:
        named = ", ".join(f"{value!r} ({count})" for value, count in list(others.items())[:_VALUES_NAMED_MAX])
        raise _in_use(
            definition, members, f"people have values of {definition.key!r} that it would not allow: {named}", others
        )
    return await _remove_values(session, definition, others, actor_id)


async def _remove_values(
    session: AsyncSession, definition: MemberAttribute, values: Collection[str] | None, actor_id: UUID
) -> int:
    """Remove these values of an attribute, or all."""
    removed: int = await session.scalar(
        _REMOVE_VALUES,
        {
            "campaign_id": definition.campaign_id,
            "key": definition.key,
            "values": None if values is None else list(values),
            "actor_id": actor_id,
        },
    )
    return removed


def _in_use(
    definition: MemberAttribute, members: int, fact: str, by_value: dict[str, int] | None = None
) -> errors.AttributeInUse:
    msg = f"{fact[0].upper()}{fact[1:]}. With remove_values=true these values are removed."
    return errors.AttributeInUse(msg, key=definition.key, members=members, by_value=by_value or {})


async def _record(
    session: AsyncSession,
    definition: MemberAttribute,
    action: payloads.DefinitionAction,
    changed: list[str],
    members: int,
    actor_id: UUID,
) -> None:
    await record_event(
        session,
        payloads.MemberAttributeDefined(
            attribute_id=definition.id, key=definition.key, action=action, changed=tuple(changed), members=members
        ),
        actor_id=actor_id,
        campaign_id=definition.campaign_id,
    )
