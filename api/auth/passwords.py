"""Passwords: the check of their strength, and their hashes.

argon2id with 19 MiB, two passes and one lane (OWASP's Password Storage Cheat Sheet): about 20 ms of a core. A hash is
computed in a thread, and only a few at the same time, so that many log-ins block neither the event loop nor all cores.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import unicodedata
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.auth.errors import PasswordsBusy, WeakPassword

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LENGTH_MIN = 12
LENGTH_MAX = 128
DISTINCT_CHARACTERS_MIN = 5
WAITING_MAX_PER_SLOT = 100  # at 20 ms per hash, two seconds of waiting

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_LOOK_ALIKES = str.maketrans("013457@$!|", "oleastasil")


def hash_password(password: str) -> str:
    """The argon2id hash in PHC string format. Takes about 20 ms of a core: do not call it in the event loop."""
    return _hasher.hash(normalise(password))


def verify_password(password_hash: str, password: str) -> bool:
    """Whether the password has this hash. Takes as long as hashing it."""
    try:
        return _hasher.verify(password_hash, normalise(password))
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was computed with other parameters than the current ones."""
    return _hasher.check_needs_rehash(password_hash)


def normalise(password: str) -> str:
    """NFKC, as NIST SP 800-63B recommends, so that a password typed on different keyboards is the same."""
    return unicodedata.normalize("NFKC", password)


def check_strength(password: str, *, email: str | None = None, display_name: str = "") -> None:
    """Check the length, and that the password is not easy to guess. No mix of characters is required (NIST SP 800-63B).

    Raises:
        WeakPassword: it has fewer than 12 or more than 128 characters or fewer than 5 different ones, is a common
            password or a variant of one, or consists of the owner's name or address.
    """
    password = normalise(password)
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        msg = f"A password must have {LENGTH_MIN} to {LENGTH_MAX} characters; this one has {len(password)}."
        raise WeakPassword(msg)
    folded = password.casefold()
    if len(set(folded)) < DISTINCT_CHARACTERS_MIN:
        msg = f"A password must have at least {DISTINCT_CHARACTERS_MIN} different characters."
        raise WeakPassword(msg)
    if _is_common(folded):
        msg = "This is a common password, which is easy to guess."
        raise WeakPassword(msg)
    if _is_personal(folded, email, display_name):
        msg = "This password consists mainly of your name or address."
        raise WeakPassword(msg)


@cache
def common_passwords() -> frozenset[str]:
    """The bundled list, in lower case."""
    text = resources.files("api.auth").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line.casefold() for line in text.splitlines() if line and not line.startswith("#"))


@cache
def _common_words() -> frozenset[str]:
    """The words of the list without digits and signs at the ends: `password` for `password1234`."""
    return frozenset(core for core in map(_core, common_passwords()) if len(core) >= 4)


def _core(folded: str) -> str:
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)


def _is_common(folded: str) -> bool:
    unmasked = folded.translate(_LOOK_ALIKES)
    if folded in common_passwords() or unmasked in common_passwords():
        return True
    # one common word with digits or signs added, repeated, or spelt with look-alike characters
    for core in {_core(folded), _core(folded).translate(_LOOK_ALIKES), _core(unmasked)}:
        if core in _common_words() or _repeated(core) in _common_words():
            return True
    return _is_run(folded)


def _repeated(text: str) -> str:
    """The shortest text of which `text` is a repetition: `abc` for `abcabcabc`; otherwise `text`."""
    period = (text + text).find(text, 1) if text else 0
    return text[:period] if text else text


def _is_run(folded: str) -> bool:
    """Whether all steps between neighbouring characters are equal: 123456789012, abcdefghijkl."""
    steps = {
        (ord(after) - ord(before)) % 10 if (before + after).isdecimal() else ord(after) - ord(before)
        for before, after in pairwise(folded)
    }
    return len(steps) == 1


def _is_personal(folded: str, email: str | None, display_name: str) -> bool:
    """Whether fewer than five letters remain without the owner's name and address."""
    words = re.findall(r"\w{3,}", f"{email or ''} {display_name}".casefold())
    rest = folded
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest != folded and len(re.sub(r"[\W\d_]", "", rest)) < DISTINCT_CHARACTERS_MIN


class _Slots:
    """`at_once` callers hold a slot at the same time; others wait, at most `WAITING_MAX_PER_SLOT` for each slot."""

    def __init__(self, at_once: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._waiting_max = at_once * WAITING_MAX_PER_SLOT

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Wait for a slot and hold it.

        Raises:
            PasswordsBusy: more callers are waiting than can be served within about two seconds.
        """
        if self._waiting >= self._waiting_max:
            raise PasswordsBusy
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()


class Passwords:
    """Computes the hashes of one process, `at_once` at the same time; other callers wait, up to a limit."""

    def __init__(self, at_once: int) -> None:
        self._slots = _Slots(at_once)
        self._new_passwords = _Slots(1)
        # an unknown address is checked against this hash, so that it takes as long as a known address
        self._dummy_hash = _hasher.hash(secrets.token_urlsafe())

    def slot(self) -> AbstractAsyncContextManager[None]:
        """A slot, which is required to compute a hash.

        Raises:
            PasswordsBusy: more callers are waiting than can be served within about two seconds.
        """
        return self._slots.hold()

    async def hash(self, password: str) -> str:
        """Wait for a slot and compute the hash of a new password.

        Only one of them waits for a slot at a time, so that a wave of registrations delays no log-in.

        Raises:
            PasswordsBusy: see :meth:`slot`; or as many new passwords are waiting.
        """
        async with self._new_passwords.hold(), self.slot():
            return await asyncio.to_thread(hash_password, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password has the hash; the caller holds a slot. Without a hash: False, after the same time."""
        matches = await asyncio.to_thread(verify_password, password_hash or self._dummy_hash, password)
        return matches and password_hash is not None
