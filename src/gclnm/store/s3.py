"""S3-compatible storage: found and signed by the usual environment and files, bounded in time."""

from __future__ import annotations

import configparser
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import icechunk

from gclnm.errors import InputError, StoreError

__all__ = ["answered", "config", "parse", "patience", "storage", "words"]

T = TypeVar("T")
EXAMPLE = "Give s3://bucket/prefix."
# A request that fails is tried again for about ten seconds; a connection must stand after 5 s, one
# request end after 60 s and all its repetitions after 180 s. Icechunk 1 repeats a request ten times, for up
# to a minute, whatever it is told.
TRIES, FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 8, 100, 5_000
CONNECT_MS, REQUEST_MS, OPERATION_MS = 5_000, 60_000, 180_000
# Icechunk 1 waits for ever on a server that is silent; this is for one commit, chunks included.
PATIENCE_SECONDS = 600.0
REGION = "us-east-1"


def parse(address: str) -> tuple[str, str]:
    """Bucket and prefix of an address.

    Examples
    --------
    >>> parse("s3://hospital/features/ct/")
    ('hospital', 'features/ct')
    """
    parts = urlsplit(address)
    if "@" in parts.netloc:
        # The address is not shown: it may hold a secret.
        raise InputError(
            "an address cannot hold a key",
            fix="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, instead.",
        )
    if parts.query or parts.fragment:
        raise InputError("an address cannot hold options", where=f"s3://{parts.netloc}", fix=EXAMPLE)
    prefix = "/".join(part for part in parts.path.split("/") if part)
    if not parts.netloc or not prefix:
        missing = "prefix" if parts.netloc else "bucket"
        raise InputError(f"the address names no {missing}", where=address, fix=EXAMPLE)
    return parts.netloc, prefix


def storage(bucket: str, prefix: str) -> Any:
    """Icechunk's storage, which asks environment, files and services for keys itself, at every use.

    What it does not do is filled in: a region where none is set (services other than AWS ignore it), and
    the bucket in the path rather than the host's name, for services at an address of their own.
    """
    settings = _settings()
    return icechunk.s3_storage(
        bucket=bucket,
        prefix=prefix,
        from_env=True,
        region=None if settings["region"] else REGION,
        allow_http=settings["endpoint"].startswith("http://"),
        force_path_style=bool(settings["endpoint"]) and settings["addressing_style"] != "virtual",
    )


def _settings() -> dict[str, str]:
    """Region, endpoint and way of addressing, as the environment or else the user's profile has them."""
    profile = _profile()
    environment = os.environ.get
    own = {} if environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true" else profile
    endpoints = (environment("AWS_ENDPOINT_URL_S3"), environment("AWS_ENDPOINT_URL"))
    return {
        "region": environment("AWS_REGION") or environment("AWS_DEFAULT_REGION") or profile.get("region", ""),
        "endpoint": next(filter(None, (*endpoints, own.get("s3.endpoint_url"), own.get("endpoint_url"))), ""),
        "addressing_style": profile.get("s3.addressing_style", ""),
    }


def _profile() -> dict[str, str]:
    """The profile of ~/.aws/config: never ~/.aws/credentials, which only Icechunk reads."""
    place = os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config"
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(Path(place).expanduser(), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return {}
    name = os.environ.get("AWS_PROFILE") or "default"
    found: dict[str, str] = {}
    for title in (f"profile {name}", name):
        if parser.has_section(title):
            found = dict(parser.items(title))
            break
    found |= {f"s3.{key}": value for key, value in _nested(found.get("s3", "")).items()}
    services = f"services {found.get('services', '')}"
    if parser.has_option(services, "s3"):
        found |= {f"s3.{key}": value for key, value in _nested(parser.get(services, "s3")).items()}
    return found


def _nested(text: str) -> dict[str, str]:
    """``key = value`` lines under one key."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def config() -> Any:
    """How Icechunk repeats requests, and how long it waits where it can bound that (from 2.0 on)."""
    retries = icechunk.StorageRetriesSettings(
        max_tries=TRIES, initial_backoff_ms=FIRST_PAUSE_MS, max_backoff_ms=LONGEST_PAUSE_MS
    )
    bounds = {}
    if hasattr(icechunk, "StorageTimeoutSettings"):
        bounds["timeouts"] = icechunk.StorageTimeoutSettings(
            connect_timeout_ms=CONNECT_MS,
            operation_attempt_timeout_ms=REQUEST_MS,
            operation_timeout_ms=OPERATION_MS,
        )
    return icechunk.RepositoryConfig(storage=icechunk.StorageSettings(retries=retries, **bounds))


def patience() -> float | None:
    """Seconds that an answer may take; None where Icechunk bounds every request itself."""
    return None if hasattr(icechunk, "StorageTimeoutSettings") else PATIENCE_SECONDS


def answered(call: Callable[[threading.Event], T], seconds: float | None, url: str) -> T:
    """The result of a call, or an error when it takes longer; the call is then told to do nothing more."""
    given_up = threading.Event()
    if seconds is None:
        return call(given_up)
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call(given_up))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        thread.join(seconds)
    finally:
        given_up.set()
    if errors:
        raise errors[0]
    if not results:
        raise StoreError(
            f"the storage has not answered for {seconds:.0f} s",
            where=url,
            fix="Look at the network and run again: rows that arrived are known and are not written twice.",
            code="no-answer",
        )
    return results[0]


def words(error: Exception) -> tuple[str, str] | None:
    """What a storage's refusal means and what helps; None where its words are not known."""
    text = str(error)
    for marks, what, fix in REFUSALS:
        if any(mark in text for mark in marks):
            return what, fix
    return None


REFUSALS = (
    (
        ("NoSuchBucket",),
        "there is no such bucket",
        "Look at the bucket's name, AWS_ENDPOINT_URL and AWS_REGION; gclnm makes no buckets.",
    ),
    (
        ("loading credentials", "no providers in chain"),
        "no keys for the storage were found",
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.",
    ),
    (
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AuthFailure"),
        "the storage does not know these keys",
        "Look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_PROFILE.",
    ),
    (
        ("RequestTimeTooSkewed",),
        "this machine's clock is not the storage's",
        "Set the clock.",
    ),
    (
        ("AccessDenied", "Forbidden", "AllAccessDisabled"),
        "the storage does not permit this",
        "Ask for ListBucket, GetObject, PutObject and DeleteObject on the prefix.",
    ),
    (
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint"),
        "the bucket is in another region",
        "Set AWS_REGION to the bucket's.",
    ),
    (
        ("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout"),
        "the storage is too busy",
        "Try again later.",
    ),
    (
        ("dns error", "dispatch failure", "timed out", "timeout", "connect error"),
        "the storage cannot be reached",
        "Look at the network and at AWS_ENDPOINT_URL.",
    ),
)
