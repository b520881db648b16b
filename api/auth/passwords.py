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
from typing import TYPE_CHECKING

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.auth.errors import PasswordsBusy, WeakPassword
from api.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LENGTH_MIN = 12
LENGTH_MAX = 128
OTHER_LETTERS_MIN = 5
SCORE_MIN = 3
SCORED_LENGTH_MAX = 72
LOOK_ALIKES_MAX = 3
_LOOK_ALIKES = frozenset("@({[<!|$+%")
WAITING_MAX_PER_SLOT = 100  # at 20 ms per hash, two seconds of waiting

_BCRYPT = ("$2a$", "$2b$", "$2y$")
_BCRYPT_BYTES = 72
_HASHES = re.compile(
    r"\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}|"
    r"\$argon2id\$v=19\$m=(?P<m>\d{1,9}),t=(?P<t>\d{1,9}),p=(?P<p>\d{1,9})\$[+/A-Za-z0-9]{11,86}\$[+/A-Za-z0-9]{22,86}"
)
# Parameters of imported hashes, least and most: each attempt to log in costs the time and memory that they say.
IMPORTED_LIMITS = {"cost": (4, 14), "m": (8, 1_048_576), "t": (1, 10), "p": (1, 16)}

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hash_password(password: str) -> str:
    """The argon2id hash in PHC string format. Takes about 20 ms of a core: do not call it in the event loop."""
    return _hasher.hash(normalise(password))


def verify_password(password_hash: str, password: str) -> bool:
    """Whether the password has this hash: argon2id, or bcrypt of an imported account. Takes as long as hashing it."""
    if password_hash.startswith(_BCRYPT):
        try:  # bcrypt ignores what follows the 72nd byte
            return bcrypt.checkpw(normalise(password).encode()[:_BCRYPT_BYTES], password_hash.encode())
        except ValueError:
            return False
    try:
        return _hasher.verify(password_hash, normalise(password))
    except (VerificationError, InvalidHashError):
        return False


def check_hash(password_hash: str) -> None:
    """Check that this is a hash that :func:`verify_password` can verify, with parameters within `IMPORTED_LIMITS`.

    `cost` is that of bcrypt; `m` (memory, KiB), `t` (passes) and `p` (lanes) are those of argon2id.

    Raises:
        InvalidInput: it is none, or a parameter is outside of its limits.
    """
    found = _HASHES.fullmatch(password_hash)
    if found is None:
        msg = "This is no hash of a password: expected bcrypt ($2b$...) or argon2id ($argon2id$...)."
        raise InvalidInput(msg)
    for name, value in found.groupdict().items():
        least, most = IMPORTED_LIMITS[name]
        if value is not None and not least <= int(value) <= most:
            msg = f"The parameter {name} of the hash is {value}; it must be from {least} to {most}."
            raise InvalidInput(msg)


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was computed with another function or other parameters than the current ones."""
    if password_hash.startswith(_BCRYPT):
        return True
    return _hasher.check_needs_rehash(password_hash)


def normalise(password: str) -> str:
    """NFKC, as NIST SP 800-63B recommends, so that a password typed on different keyboards is the same."""
    return unicodedata.normalize("NFKC", password)


def check_strength(password: str, *, email: str | None = None, display_name: str = "") -> None:
    """Check the length, and that the password is not easy to guess. No mix of characters is required (NIST SP 800-63B).

    zxcvbn estimates how many guesses an attacker needs who knows common passwords, words, names and patterns, and the
    owner's name and address. At least `SCORE_MIN` of 4 is required: more than 10^8 guesses.

    Raises:
        WeakPassword: it has fewer than 12 or more than 128 characters, is easy to guess, or consists of the owner's name
            or address.
    """
    password = normalise(password)
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        msg = f"A password must have {LENGTH_MIN} to {LENGTH_MAX} characters; this one has {len(password)}."
        raise WeakPassword(msg)
    words = _words_of(email, display_name)
    if _is_personal(password.casefold(), words):
        msg = "This password consists mainly of your name or address."
        raise WeakPassword(msg)
    from zxcvbn import zxcvbn  # takes 0.1 s to import

    scored = password[:SCORED_LENGTH_MAX]
    if len(set(scored) & _LOOK_ALIKES) > LOOK_ALIKES_MAX:
        # zxcvbn tries all combinations of letters that they may stand for, which takes seconds for many of them
        scored = scored.translate(dict.fromkeys(map(ord, _LOOK_ALIKES), "~"))
    found = zxcvbn(scored, user_inputs=[*words, "ideamint"], max_length=SCORED_LENGTH_MAX)
    if found["score"] < SCORE_MIN:
        hints = [found["feedback"]["warning"], *found["feedback"]["suggestions"]]
        raise WeakPassword(" ".join(["This password is easy to guess.", *filter(None, hints)]))


def _words_of(email: str | None, display_name: str) -> list[str]:
    """The words of a name and an address, the longest first."""
    return sorted(re.findall(r"\w{3,}", f"{email or ''} {display_name}".casefold()), key=len, reverse=True)


def _is_personal(folded: str, words: list[str]) -> bool:
    """Whether fewer than five letters remain without the owner's name and address."""
    rest = folded
    for word in words:
        rest = rest.replace(word, "")
    return rest != folded and len(re.sub(r"[\W\d_]", "", rest)) < OTHER_LETTERS_MIN


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

    async def check(self, password: str, *, email: str | None, display_name: str) -> None:
        """As :func:`check_strength`, in a thread, one at a time: the event loop shares the interpreter with it.

        Raises:
            WeakPassword: see :func:`check_strength`.
            PasswordsBusy: see :meth:`hash`.
        """
        async with self._new_passwords.hold():
            await asyncio.to_thread(check_strength, password, email=email, display_name=display_name)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password has the hash; the caller holds a slot. Without a hash: False, after the same time."""
        matches = await asyncio.to_thread(verify_password, password_hash or self._dummy_hash, password)
        return matches and password_hash is not None
