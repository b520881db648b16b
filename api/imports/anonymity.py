"""Hides who a voter is: attributes that few voters share are left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeVar

Value = TypeVar("Value", str, int, str | int)


def shared_attributes(voters: Sequence[Mapping[str, Value]], group_size_min: int) -> list[dict[str, Value]]:
    """The attributes of each voter that at least `group_size_min` voters share in this combination.

    Attributes are added one after another, those that most voters have first. Within each group of voters with equal attributes
    so far, a value stays if enough of them have it. The others of the group have no value of this attribute; if they are too
    few, the rarest of the remaining values is removed as well. Every combination in the result is thus that of a large
    enough group, or of all voters.
    """
    known = Counter(name for voter in voters for name in voter)
    shared: list[dict[str, Value]] = [{} for _ in voters]
    groups = [list(range(len(voters)))] if len(voters) >= group_size_min else []
    for name in sorted(known, key=lambda name: (-known[name], name)):
        split: list[list[int]] = []
        for group in groups:
            by_value: defaultdict[Value, list[int]] = defaultdict(list)
            others: list[int] = []
            for index in group:
                if name in voters[index]:
                    by_value[voters[index][name]].append(index)
                else:
                    others.append(index)
            kept = sorted(by_value.items(), key=lambda item: (-len(item[1]), str(item[0])))
            while kept and (len(kept[-1][1]) < group_size_min or 0 < len(others) < group_size_min):
                others += kept.pop()[1]
            for value, members in kept:
                for index in members:
                    shared[index][name] = value
            split += [members for _, members in kept] + ([others] if others else [])
        groups = split
    return shared
