"""Prepares a MinIO server for biosynth: the bucket, when its results and uploads expire, and a user for every policy.

It changes only what is missing or different, so it may run any number of times, such as after a change of a policy or
a secret key. It needs Python and the packages `minio` and `certifi`, nothing of biosynth.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

import certifi
import urllib3
from minio import Minio, MinioAdmin
from minio.commonconfig import ENABLED, Filter
from minio.credentials import StaticProvider
from minio.error import MinioAdminException, MinioException, S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule

_EPILOG = """\
The secrets folder holds store-root/ and, for every policies/NAME.json, store-NAME/, each with the files access-key and
secret-key; deploy/secrets.sh makes it. User NAME gets that policy and no other. To change a secret key, write another
into the file and run this again: services read their own by themselves. Users and policies that nothing names any more
are left alone.

Where an --expire option is 0 nothing expires, and rules that this script made for it before are removed; rules whose
names do not begin with biosynth- are left alone. The small records under results/evaluations/, which the gauges of
Prometheus are read from, never expire.

Exit codes: 0 all is as it should be, 1 it is not and the last line says why, 2 wrong options.
"""

# What may expire, by the option that says when. Of results/ each operation by itself: S3's rules cannot leave out
# results/evaluations/, whose records are not made again when they are asked for.
EXPIRING = {
    "results": ("segment", "render", "generate", "generate-shard", "compare-pair", "compare-sets"),
    "inputs": ("",),
}
_RULE = "biosynth-"  # how the names of our rules begin


class SetupError(Exception):
    """What is wrong and what to do about it, in one line for whoever runs this."""


@dataclass(frozen=True)
class Keys:
    """Credentials of one user."""

    access: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class User:
    """A user to set up, and what it may do."""

    keys: Keys
    policy: dict[str, Any]


class Server:
    """A MinIO server, seen as its administrator."""

    def __init__(self, endpoint: str, region: str, ca: Path | None, root: Keys) -> None:
        self._url, self._region = urlsplit(endpoint), region
        if self._url.scheme not in ("http", "https") or not self._url.netloc or self._url.path.strip("/"):
            raise SetupError(f"expected --endpoint http(s)://host:port, got {endpoint!r}")
        if ca is not None:
            _read(ca)
        # The SDK's own pool waits five minutes and tries five times.
        self._http = urllib3.PoolManager(timeout=10, retries=False, ca_certs=str(ca or certifi.where()))
        self._admin = MinioAdmin(credentials=StaticProvider(root.access, root.secret), **self._address())
        self._s3 = self._client(root)

    def wait(self, seconds: float) -> None:
        """Return once the server answers its administrator; it may still be starting."""
        end, said = time.monotonic() + seconds, False
        while (reason := self._reason_to_wait()) is not None:
            if time.monotonic() > end:
                raise SetupError(f"expected a MinIO server at {self._url.geturl()} within {seconds:g} s, got {reason}")
            if not said:
                print(f"waiting up to {seconds:g} s for {self._url.geturl()}: {reason}", flush=True)
                said = True
            time.sleep(1)

    def make_bucket(self, name: str) -> list[str]:
        """Make the bucket unless it is there. Says what it changed."""
        try:
            if self._s3.bucket_exists(name):
                return []
        except ValueError as error:
            raise SetupError(
                f"expected 3 to 63 lower-case letters, digits and dashes as --bucket, got {name!r}"
            ) from error
        self._s3.make_bucket(name, self._region)
        return ["made"]

    def set_expiry(self, bucket: str, wanted: dict[str, int]) -> list[str]:
        """Make our rules say after how many days prefixes expire, and keep the rules of others. Says what it changed.

        MinIO deletes what a rule names at the midnight (UTC) after those days, or later, when its scanner comes by.
        """
        found = self._s3.get_bucket_lifecycle(bucket)
        rules = list(found.rules) if found else []
        others = [rule for rule in rules if not str(rule.rule_id).startswith(_RULE)]
        if wanted == {rule.rule_filter.prefix: rule.expiration.days for rule in rules if rule not in others}:
            return []
        ours = [
            Rule(ENABLED, Filter(prefix=prefix), rule_id=rule_name(prefix), expiration=Expiration(days=days))
            for prefix, days in wanted.items()
        ]
        if ours or others:
            self._s3.set_bucket_lifecycle(bucket, LifecycleConfig([*others, *ours]))
        else:
            self._s3.delete_bucket_lifecycle(bucket)
        return [", ".join(f"{prefix} after {days} days" for prefix, days in wanted.items()) or "nothing"]

    def set_up_user(self, user: User) -> list[str]:
        """Set up policy, keys and rights, in this order: at no moment has the user more rights than these.

        Says what it changed.
        """
        name, changes = user.keys.access, []
        if _ordered(json.loads(self._admin.policy_list()).get(name)) != _ordered(user.policy):
            self._admin.policy_add(name, policy=user.policy)
            changes.append("policy written")
        if (why := self._refusal(user.keys)) is not None:
            self._admin.user_add(name, user.keys.secret)
            changes.append("new secret key" if why == "SignatureDoesNotMatch" else "made or enabled")
        if json.loads(self._admin.user_info(name)).get("policyName") != name:
            self._admin.policy_set(name, user=name)  # unlike attach_policy, removes all other policies
            changes.append("policy attached")
        return changes

    def _refusal(self, keys: Keys) -> str | None:
        """Why the server refuses these keys; None: it accepts them."""
        try:
            self._client(keys).list_buckets()
        except S3Error as error:
            # No user may list buckets; AccessDenied, unlike other codes, means that the keys are right.
            return None if error.code == "AccessDenied" else str(error.code)
        return None

    def _reason_to_wait(self) -> str | None:
        """What is still to be waited for; None: nothing. Raises SetupError where waiting is of no use."""
        try:
            self._admin.user_list()
        except MinioAdminException as error:
            status, code, message = _answer(error)
            if status == "503":
                return message
            if status == "403":
                raise SetupError(
                    f"expected the root user's keys in store-root/, got ones that the server refuses ({code})"
                ) from error
            raise SetupError(f"expected a MinIO server at {self._url.geturl()}, got an answer {status}") from error
        except urllib3.exceptions.SSLError as error:
            raise SetupError(f"expected https with a certificate that --ca vouches for, got {error}") from error
        except urllib3.exceptions.HTTPError as error:
            return f"no answer ({error.__class__.__name__})"
        except ValueError as error:  # the SDK cannot decrypt the answer
            raise SetupError(f"expected a MinIO server at {self._url.geturl()}, got some other server") from error
        return None

    def _client(self, keys: Keys) -> Minio:
        return Minio(access_key=keys.access, secret_key=keys.secret, **self._address())

    def _address(self) -> dict[str, Any]:
        secure = self._url.scheme == "https"
        return {"endpoint": self._url.netloc, "secure": secure, "region": self._region, "http_client": self._http}


def expiring(days: dict[str, int]) -> dict[str, int]:
    """Days by prefix, of folders that expire at all.

    >>> expiring({"results": 0, "inputs": 7})
    {'inputs/': 7}
    """
    return {
        f"{folder}/{operation}/" if operation else f"{folder}/": days[folder]
        for folder, operations in EXPIRING.items()
        for operation in operations
        if days[folder] > 0
    }


def rule_name(prefix: str) -> str:
    """The name of our rule for a prefix."""
    return _RULE + prefix.strip("/").replace("/", "-")


def read_keys(folder: Path) -> Keys:
    """The credentials in a folder of the secrets."""
    access, secret = (_read(folder / name) for name in ("access-key", "secret-key"))
    return Keys(access, secret)


def read_users(secrets: Path, policies: Path, bucket: str) -> list[User]:
    """One user for each policy, with ${bucket} filled in."""
    paths = sorted(policies.glob("*.json"))
    if not paths:
        raise SetupError(f"expected policies NAME.json in {policies}, got none")
    return [User(read_keys(secrets / f"store-{path.stem}"), _policy(path, bucket)) for path in paths]


def _policy(path: Path, bucket: str) -> dict[str, Any]:
    try:
        policy: dict[str, Any] = json.loads(Template(_read(path)).substitute(bucket=bucket))
    except (ValueError, KeyError) as error:
        raise SetupError(f"expected JSON with no variable but ${{bucket}} in {path}, got {error}") from error
    return policy


def _read(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except OSError as error:
        raise SetupError(f"expected a readable file {path}, got {error.strerror}; see --help") from error
    if not text:
        raise SetupError(f"expected something in {path}, got an empty file; see --help")
    return text


def _answer(error: MinioAdminException) -> tuple[str, str, str]:
    """Status, code and message; the SDK keeps them in one text."""
    try:
        body = json.loads(error._body)
        return str(error._code), str(body["Code"]), str(body["Message"])
    except (ValueError, KeyError, TypeError):
        return str(error._code), "", str(error._body)[:200]


def _ordered(value: Any) -> Any:
    """The same with sorted lists: MinIO keeps them as sets, and answers them in any order."""
    if isinstance(value, dict):
        return {name: _ordered(item) for name, item in value.items()}
    return sorted(map(_ordered, value), key=json.dumps) if isinstance(value, list) else value


def set_up(server: Server, bucket: str, expiry: dict[str, int], users: list[User]) -> None:
    """Change what is not as it should be, and print it."""
    try:
        changes = {f"bucket {bucket}": server.make_bucket(bucket)}
        changes["expires"] = server.set_expiry(bucket, expiry)
        changes |= {f"user {user.keys.access}": server.set_up_user(user) for user in users}
    except MinioAdminException as error:
        raise SetupError("MinIO refused: {2} ({0} {1})".format(*_answer(error))) from error
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        raise SetupError(f"MinIO failed: {error}") from error
    lines = [f"{what}: {', '.join(done)}" for what, done in changes.items() if done]
    print("\n".join(lines) or f"bucket {bucket} and its {len(users)} users are as they should be: nothing changed")


def _days(text: str) -> int:
    """A number of days; argparse names the option where this raises."""
    days = int(text) if text.strip().isdecimal() else -1
    if not 0 <= days <= 36500:
        raise argparse.ArgumentTypeError(f"expected days, 0 (never) to 36500, got {text!r}")
    return days


def _options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        "init.py", description=__doc__, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--endpoint", required=True, help="http(s)://host:port of the server")
    parser.add_argument("--bucket", required=True, help="the bucket that holds images, results and models")
    parser.add_argument("--secrets", required=True, type=Path, metavar="DIR", help="the secrets folder, see below")
    parser.add_argument("--policies", type=Path, metavar="DIR", help="(default: policies/ beside this file)")
    parser.add_argument("--region", default="us-east-1", help="(default: %(default)s)")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="PEM of the CA of an https server of one's own")
    parser.add_argument("--wait", default=60.0, type=float, metavar="S", help="for the server (default: %(default)g)")
    for folder in EXPIRING:
        parser.add_argument(
            f"--expire-{folder}",
            default=os.environ.get(variable := f"BIOSYNTH_EXPIRE_{folder.upper()}_DAYS") or "0",
            type=_days,
            metavar="DAYS",
            help=f"delete {folder}/ after (default: {variable}, else 0, never)",
        )
    return parser.parse_args()


def main() -> None:
    """Set up the server that the command line names."""
    options = _options()
    policies = options.policies or Path(__file__).parent / "policies"
    try:
        users = read_users(options.secrets, policies, options.bucket)
        server = Server(options.endpoint, options.region, options.ca, read_keys(options.secrets / "store-root"))
        server.wait(options.wait)
        days = {folder: getattr(options, f"expire_{folder}") for folder in EXPIRING}
        set_up(server, options.bucket, expiring(days), users)
    except SetupError as error:
        sys.exit(f"cannot set up the store: {error}")


if __name__ == "__main__":
    main()
