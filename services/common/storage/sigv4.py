"""Links that carry their own permission: AWS Signature Version 4 in the query, with headers bound to it.

The minio SDK signs the host alone. A link for an upload should hold for one key, size and content only, so the headers
that say these are signed as well (Authenticating Requests: Using Query Parameters, Amazon S3 API reference).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Signer:
    """Signs for one account in one region."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str

    def presign(
        self, method: str, endpoint: str, path: str, headers: Mapping[str, str], seconds: int, now: datetime
    ) -> str:
        """The URL of `path` (unquoted, /bucket/key) at http(s)://host[:port], with a signature good for `seconds`.

        The request must carry `headers` (lower-case names) exactly; now: aware, any zone.
        """
        stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        parts = urlsplit(endpoint)
        signed = dict(sorted({**headers, "host": parts.netloc}.items()))
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self.access_key}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": ";".join(signed),
        }
        encoded = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in sorted(query.items()))
        path = quote(path, safe="/-_.~")
        lines = [f"{name}:{' '.join(value.split())}" for name, value in signed.items()]
        payload = headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        request = "\n".join((method, path, encoded, *lines, "", query["X-Amz-SignedHeaders"], payload))
        signature = self._sign("\n".join((_ALGORITHM, stamp, scope, _sha256(request))), scope)
        return f"{parts.scheme}://{parts.netloc}{path}?{encoded}&X-Amz-Signature={signature}"

    def _sign(self, text: str, scope: str) -> str:
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.new(key, text.encode(), "sha256").hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
