from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher, extract_parameters

from api.auth import passwords as module
from api.auth.errors import PasswordsBusy, WeakPassword
from api.auth.passwords import (
    Passwords,
    check_strength,
    hash_password,
    needs_rehash,
    verify_password,
)

GOOD = "granite-otter-52-lamp"


class TestCheckStrength:
    @pytest.mark.parametrize(
        "password", [GOOD, "zażółć gęślą jaźń", "x" * 10 + "yzvwut", "a1!" + "bcdefg" * 20, "a b c d e f "]
    )
    def test_accepts_passwords_that_are_hard_to_guess(self, password: str) -> None:
        check_strength(password, email="anna.kowalska@example.org", display_name="Anna Kowalska")

    @pytest.mark.parametrize("password", ["granite-ott", "", "g" * 129, "granite-otter" * 10])
    def test_requires_12_to_128_characters(self, password: str) -> None:
        with pytest.raises(WeakPassword, match="12 to 128 characters"):
            check_strength(password)

    @pytest.mark.parametrize("password", ["granite-otte", "granite-otter-" * 9 + "ab"])
    def test_accepts_12_and_128_characters(self, password: str) -> None:
        assert len(password) in {12, 128}
        check_strength(password)

    def test_counts_characters_after_normalisation(self) -> None:
        decomposed = "e\N{COMBINING ACUTE ACCENT}" * 2 + "granite-o"
        assert len(decomposed) == 13
        with pytest.raises(WeakPassword, match="this one has 11"):
            check_strength(decomposed)

    @pytest.mark.parametrize(
        ("password", "hint"),
        [
            ("aaaaaaaaaaaaaa", 'Repeats like "aaa"'),
            ("password1234", "very common password"),
            ("PassWord1234", "commonly used password"),
            ("P@ssw0rd!2031", "Predictable substitutions"),
            ("monkeymonkeymonkey", "Repeats"),
            ("qwertyuiop123", "very common password"),
            ("123456789012", "commonly used password"),
            ("zyxwvutsrqpon", "Sequences"),
        ],
    )
    def test_refuses_what_is_easy_to_guess_and_says_why(self, password: str, hint: str) -> None:
        with pytest.raises(WeakPassword, match="This password is easy to guess") as refused:
            check_strength(password)
        assert hint in refused.value.detail

    def test_scores_a_text_of_look_alike_characters_without_trying_all_their_meanings(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scored: list[str] = []

        def score(text: str, **_: object) -> dict[str, int]:
            scored.append(text)
            return {"score": 4}

        monkeypatch.setattr("zxcvbn.zxcvbn", score)
        check_strength("4@8({[<3691!|1|70$5+7%2" * 3)
        assert not set(scored[0]) & set("@({[<!|$+%")

    @pytest.mark.parametrize(
        "password", ["anna.kowalska@example.org", "Kowalska-Anna-77", "annakowalska!2031", "KOWALSKA77777kowalska"]
    )
    def test_refuses_the_owners_name_and_address(self, password: str) -> None:
        with pytest.raises(WeakPassword, match="your name or address"):
            check_strength(password, email="anna.kowalska@example.org", display_name="Anna Kowalska")


class TestHashPassword:
    def test_is_argon2id_of_19_mib_in_two_passes(self) -> None:
        assert hash_password(GOOD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")

    def test_is_salted(self) -> None:
        assert hash_password(GOOD) != hash_password(GOOD)

    def test_verifies_the_same_password_only(self) -> None:
        kept = hash_password(GOOD)
        assert verify_password(kept, GOOD)
        assert not verify_password(kept, GOOD + " ")

    def test_two_encodings_of_a_password_are_the_same(self) -> None:
        kept = hash_password("caf\N{LATIN SMALL LETTER E WITH ACUTE}-granite-otter")
        assert verify_password(kept, "cafe\N{COMBINING ACUTE ACCENT}-granite-otter")

    def test_beyond_72_bytes_every_character_counts(self) -> None:
        kept = hash_password("granite-otter-" * 6 + "a")
        assert not verify_password(kept, "granite-otter-" * 6 + "b")

    def test_a_hash_of_another_kind_matches_nothing(self) -> None:
        assert not verify_password("$2b$12$abcdefghijklmnopqrstuv", GOOD)

    def test_a_weaker_hash_is_due_for_a_new_one(self) -> None:
        assert needs_rehash(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD))
        assert not needs_rehash(hash_password(GOOD))


class TestPasswords:
    async def test_without_a_hash_returns_false_at_the_same_cost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        checked: list[str] = []

        def note(password_hash: str, password: str) -> bool:
            checked.append(password_hash)
            return verify_password(password_hash, password)

        monkeypatch.setattr(module, "verify_password", note)
        own = Passwords(1)
        assert await own.verify(None, "another-password") is False
        (used,) = checked
        assert extract_parameters(used) == extract_parameters(hash_password(GOOD))

    async def test_computes_at_most_one_hash_per_slot(self) -> None:
        passwords = Passwords(2)
        inside, most = 0, 0

        async def hold() -> None:
            nonlocal inside, most
            async with passwords.slot():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.001)
                inside -= 1

        await asyncio.gather(*(hold() for _ in range(50)))
        assert (inside, most) == (0, 2)

    async def test_refuses_a_caller_who_would_wait_too_long(self) -> None:
        passwords = Passwords(1)
        async with passwords.slot():
            # one waits for the slot, the others for their turn
            waiting = [asyncio.create_task(passwords.hash(GOOD)) for _ in range(1 + module.WAITING_MAX_PER_SLOT)]
            await asyncio.sleep(0)
            with pytest.raises(PasswordsBusy):
                await passwords.hash(GOOD)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        assert await passwords.verify(await passwords.hash(GOOD), GOOD)

    async def test_does_not_block_the_event_loop(self) -> None:
        passwords = Passwords(2)
        hashing = asyncio.create_task(passwords.hash(GOOD))
        turns = 0
        while not hashing.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 10
