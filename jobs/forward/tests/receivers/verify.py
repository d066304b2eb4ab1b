"""Verifies requests with Standard Webhooks' own library.

verify.py FILE    FILE is JSON: {"secrets": [...], "requests": [{"headers": {...}, "body": "base64"}]}
"""

import base64
import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError


def is_valid(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    except json.JSONDecodeError:
        pass  # The signature is verified before the body is read as JSON.
    return True


with open(sys.argv[1]) as file:
    data = json.load(file)
for request in data["requests"]:
    headers, body = request["headers"], base64.b64decode(request["body"])
    for secret in data["secrets"]:
        assert is_valid(secret, body, headers), headers
        assert not is_valid(secret, body + b"x", headers)
        assert not is_valid(secret, body, {**headers, "webhook-id": "other"})
    assert not is_valid("whsec_" + base64.b64encode(bytes(32)).decode(), body, headers)
print(f"{len(data['requests'])} requests verified")
