from __future__ import annotations

import re
from itertools import pairwise

import pytest

from api.auth.passwords import check_strength
from api.ideas.steps import Status, find_step
from cli.demo.content import CampaignText, IdeaText, load_campaigns, load_company, load_people
from cli.demo.people import address, roster

CAMPAIGNS = load_campaigns()
IDEAS = [(text, idea) for text in CAMPAIGNS for idea in text.ideas]
each_idea = pytest.mark.parametrize(
    ("text", "idea"), IDEAS, ids=[f"{text.campaign.slug}/{idea.key}" for text, idea in IDEAS]
)


class TestIdeas:
    def test_about_one_hundred(self) -> None:
        assert 95 <= len(IDEAS) <= 115

    def test_titles_keys_and_descriptions_are_unique(self) -> None:
        for names in ("title", "key", "description"):
            seen = [getattr(idea, names).casefold() for _, idea in IDEAS]
            assert len(seen) == len(set(seen))

    @each_idea
    def test_texts_are_well_formed(self, text: CampaignText, idea: IdeaText) -> None:
        assert 5 <= len(idea.title) <= 200
        assert 20 <= len(idea.description.strip()) <= 20_000
        assert 2 <= len(re.findall(r"[.!?](?=[\s\"]|$)", idea.description)) <= 7
        assert not re.search(
            r"\b(lorem|ipsum|foo|bar|todo|xxx|test idea)\b|[{}]", idea.title + idea.description, re.IGNORECASE
        )
        assert "  " not in idea.description
        assert "\n" not in idea.description.strip()
        assert idea.title[0].isupper()
        assert not idea.title.endswith(".")
        assert len({tag.casefold() for tag in idea.tags}) == len(idea.tags)

    @each_idea
    def test_comes_from_and_appeals_to_departments_that_exist(self, text: CampaignText, idea: IdeaText) -> None:
        departments = load_people()
        assert {idea.by, *idea.liked_by} <= set(departments)
        assert idea.site in {None, *load_company().sites}
        if idea.author:
            assert idea.author in {name for names in departments[idea.by].values() for name in names}

    @each_idea
    def test_takes_legal_steps_on_working_days_before_today(self, text: CampaignText, idea: IdeaText) -> None:
        days = [idea.day, *(step.day for step in idea.steps)]
        assert days == sorted(set(days))
        assert idea.day <= text.campaign.submissions_close_on_day
        assert days[-1] < text.campaign.today_on_day
        assert all(day % 7 < 5 for day in [*days, *(value.day for value in idea.values)])
        status = Status.PENDING if text.campaign.is_mediated else Status.COMPETING
        for step in idea.steps:
            taken = find_step(status, Status(step.to))
            assert taken is not None
            assert step.reason is not None or not taken.needs_reason
            status = Status(step.to)

    @each_idea
    def test_valuations_are_in_a_possible_order(self, text: CampaignText, idea: IdeaText) -> None:
        step_days = {step.to: step.day for step in idea.steps}
        for value in idea.values:
            assert value.day < text.campaign.today_on_day
            assert idea.day < value.day
            if value.kind == "realised_value":
                assert value.day > step_days["complete"]
            if value.kind == "realised_cost":
                assert value.day > min(step_days.get("complete", 10**6), step_days.get("stopped", 10**6))
        if "accepted" in step_days:
            assert {"expected_cost", "expected_value"} <= {value.kind for value in idea.values}

    def test_rejections_have_a_reason(self) -> None:
        reasons = [step.reason for _, idea in IDEAS for step in idea.steps if step.to in {"rejected", "stopped"}]
        assert len(reasons) >= 15
        assert all(reason and len(reason) > 60 for reason in reasons)
        assert len(reasons) == len(set(reasons))

    def test_near_duplicates_use_other_words(self) -> None:
        by_name = {f"{text.campaign.slug}/{idea.key}": idea for text, idea in IDEAS}
        pairs = [(idea, by_name[idea.same_as]) for _, idea in IDEAS if idea.same_as]
        assert len(pairs) >= 5
        for copy, original in pairs:
            assert copy.title != original.title
            words, others = (set(re.findall(r"\w{4,}", each.description.lower())) for each in (copy, original))
            assert 0.03 < len(words & others) / len(words | others) < 0.5


class TestCampaigns:
    def test_are_sorted_by_start_and_one_of_each_kind(self) -> None:
        starts = [text.campaign.today_on_day for text in CAMPAIGNS]
        assert all(earlier > later for earlier, later in pairwise(starts))
        assert 260 <= starts[0] <= 280  # nine months
        assert [text.campaign.complete_on_day is not None for text in CAMPAIGNS] == [True, False, False, False]
        assert [text.campaign.is_mediated for text in CAMPAIGNS] == [False, False, True, False]
        assert CAMPAIGNS[1].campaign.allocate_until_day < CAMPAIGNS[1].campaign.today_on_day
        assert CAMPAIGNS[3].campaign.allocate_until_day > CAMPAIGNS[3].campaign.today_on_day + 6

    def test_use_two_currencies(self) -> None:
        assert {text.campaign.currency for text in CAMPAIGNS} == {"EUR", "GBP"}


class TestPeople:
    def test_two_hundred_with_different_names_and_addresses(self) -> None:
        people = roster()
        assert len(people) == 200
        assert len({person.name for person in people}) == 200
        assert len({person.email for person in people}) == 200
        assert all(
            re.fullmatch(r"[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*@marlowick\.example", each.email) for each in people
        )

    def test_eight_departments_and_a_site_for_most(self) -> None:
        people = roster()
        assert len({person.department for person in people}) == 8
        assert 0 < sum(person.site is None for person in people) < 40
        assert all(set(person.attributes) <= {"department", "district"} for person in people)

    def test_letters_without_a_decomposition_stay_readable(self) -> None:
        assert address("Łukasz Gołąb") == "lukasz.golab@marlowick.example"
        assert address("Laila El Idrissi") == "laila.elidrissi@marlowick.example"


class TestAccounts:
    def test_one_of_each_role_at_least(self) -> None:
        assert {account.role for account in load_company().accounts} == {
            "system admin",
            "executive",
            "data engineer",
            "manager",
            "member",
        }

    def test_passwords_follow_the_password_rules(self) -> None:
        for account in load_company().accounts:
            check_strength(account.password, email=address(account.name), display_name=account.name)

    def test_managers_and_member_match_the_content(self) -> None:
        accounts = {account.key: account for account in load_company().accounts}
        managers = [accounts[text.campaign.manager] for text in CAMPAIGNS]
        assert {manager.role for manager in managers} == {"manager"}
        assert all(load_people()[manager.department or ""][manager.site or ""] for manager in managers)
        assert accounts["member"].name in {person.name for person in roster()}
        others = [account for account in accounts.values() if account.role != "member"]
        assert not {account.name for account in others} & {person.name for person in roster()}
