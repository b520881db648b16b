"""Passwords: which are good enough, and hashes that cost the same whoever asks.

argon2id with 19 MiB, two passes and one lane (OWASP's Password Storage Cheat Sheet): some 20 ms of a core. A hash runs
in a thread, and few at once, so that a flood of log-ins takes neither the event loop nor all cores from the rest.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import unicodedata
from contextlib import asynccontextmanager
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
WAITING_MAX_PER_PLACE = 100  # at 20 ms a hash, two seconds of waiting

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_LOOK_ALIKES = str.maketrans("013457@$!|", "oleastasil")


def hash_password(password: str) -> str:
    """The argon2id hash, in PHC string format. Takes some 20 ms of a core: not for the event loop."""
    return _hasher.hash(normalise(password))


def verify_password(password_hash: str, password: str) -> bool:
    """Whether the password has this hash. Takes as long as hashing it."""
    try:
        return _hasher.verify(password_hash, normalise(password))
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def normalise(password: str) -> str:
    """NFKC, as NIST SP 800-63B asks, so that one password typed on two keyboards is one."""
    return unicodedata.normalize("NFKC", password)


def check_strength(password: str, *, email: str | None = None, display_name: str = "") -> None:
    """Length, and that it is not what anybody would try first. Demands no mix of characters (NIST SP 800-63B).

    Raises:
        WeakPassword: shorter than 12 or longer than 128 characters, of under 5 different ones, a common password or
            little more than one, or made of the owner's name or address.
    """
    password = normalise(password)
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        msg = f"A password has {LENGTH_MIN} to {LENGTH_MAX} characters; this one has {len(password)}."
        raise WeakPassword(msg)
    folded = password.casefold()
    if len(set(folded)) < DISTINCT_CHARACTERS_MIN:
        msg = f"This password repeats fewer than {DISTINCT_CHARACTERS_MIN} characters."
        raise WeakPassword(msg)
    if _is_common(folded):
        msg = "This password is one of the first that anybody would try."
        raise WeakPassword(msg)
    if _is_personal(folded, email, display_name):
        msg = "This password is made of your name or address."
        raise WeakPassword(msg)


@cache
def common_passwords() -> frozenset[str]:
    """The bundled list, in lower case."""
    text = resources.files("api.auth").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line.casefold() for line in text.splitlines() if line and not line.startswith("#"))


@cache
def _common_words() -> frozenset[str]:
    """What remains of the list without digits and signs at the ends: `password` of `password1234`."""
    return frozenset(core for core in map(_core, common_passwords()) if len(core) >= 4)


def _core(folded: str) -> str:
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)


def _is_common(folded: str) -> bool:
    unmasked = folded.translate(_LOOK_ALIKES)
    if folded in common_passwords() or unmasked in common_passwords():
        return True
    # one guessable word, however it is decorated, repeated or spelt with look-alikes
    for core in {_core(folded), _core(folded).translate(_LOOK_ALIKES), _core(unmasked)}:
        if core in _common_words() or _repeated(core) in _common_words():
            return True
    return _is_run(folded)


def _repeated(text: str) -> str:
    """The shortest text that `text` repeats: `abc` of `abcabcabc`, else `text`."""
    period = (text + text).find(text, 1) if text else 0
    return text[:period] if text else text


def _is_run(folded: str) -> bool:
    """Whether each character follows the one before by the same step: 123456789012, abcdefghijkl."""
    steps = {
        (ord(after) - ord(before)) % 10 if (before + after).isdecimal() else ord(after) - ord(before)
        for before, after in pairwise(folded)
    }
    return len(steps) == 1


def _is_personal(folded: str, email: str | None, display_name: str) -> bool:
    """Whether under five letters remain once the owner's name and address are taken away."""
    words = re.findall(r"\w{3,}", f"{email or ''} {display_name}".casefold())
    rest = folded
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest != folded and len(re.sub(r"[\W\d_]", "", rest)) < DISTINCT_CHARACTERS_MIN


class Passwords:
    """Hashes passwords of one process, `at_once` at a time; further callers wait, and too many are sent away."""

    def __init__(self, at_once: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._waiting_max = at_once * WAITING_MAX_PER_PLACE
        # nobody's: what an unknown address is checked against, so that it takes as long as a known one
        self._nobodys_hash = _hasher.hash(secrets.token_urlsafe())

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for one of the places at which a hash may be computed, and hold it.

        Raises:
            PasswordsBusy: more wait than could be served in two seconds or so.
        """
        if self._waiting >= self._waiting_max:
            raise PasswordsBusy
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()

    async def hash(self, password: str) -> str:
        """Wait for a place and hash.

        Raises:
            PasswordsBusy: see :meth:`place`.
        """
        async with self.place():
            return await asyncio.to_thread(hash_password, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Check a password at a place that the caller holds; without a hash, take as long and say no."""
        matches = await asyncio.to_thread(verify_password, password_hash or self._nobodys_hash, password)
        return matches and password_hash is not None
