"""Requests that other libraries sign: Standard Webhooks' own, and PyJWT.

callers.py FOLDER        writes keys and jwks.json
callers.py FOLDER URL    sends requests to the ingest function, whose settings have these keys and WEBHOOK_SECRET
"""

import base64
import datetime
import json
import pathlib
import sys
import time
import urllib.error
import urllib.request

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import get_default_algorithms
from standardwebhooks import Webhook

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
# The record {"id": 1, "name": "Paul", "email": "p@x"} of schemas/user.avsc. Standard Webhooks' library signs text only.
DATUM = b"\x02\x08Paul\x06p@x"


def generate(algorithm):
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("ES"):
        return ec.generate_private_key(ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def write_keys(folder):
    keys = []
    for algorithm in ALGORITHMS:
        key = generate(algorithm)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        folder.joinpath(f"{algorithm}.pem").write_bytes(pem)
        jwk = get_default_algorithms()[algorithm].to_jwk(key.public_key(), as_dict=True)
        keys.append({**jwk, "kid": algorithm})
    folder.joinpath("jwks.json").write_text(json.dumps({"keys": keys}))


def status(url, headers, body):
    request = urllib.request.Request(url, body, {"Content-Type": "application/octet-stream", **headers})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def tokens(folder):
    """Requests with a JWT of each algorithm, and the expected statuses."""
    now = int(time.time())
    good = {"iss": "https://issuer.example", "aud": ["orders"], "iat": now, "nbf": now, "exp": now + 60}
    for algorithm in ALGORITHMS:
        key = load_pem_private_key(folder.joinpath(f"{algorithm}.pem").read_bytes(), None)
        for claims, expected in [
            (good, 202),
            ({**good, "exp": now - 100}, 401),
            ({**good, "aud": "invoices"}, 401),
            ({**good, "iss": "https://other.example"}, 401),
        ]:
            token = jwt.encode(claims, key, algorithm, headers={"kid": algorithm})
            yield {"Authorization": f"Bearer {token}"}, DATUM, expected
        other = jwt.encode(good, generate(algorithm), algorithm, headers={"kid": algorithm})
        yield {"Authorization": f"Bearer {other}"}, DATUM, 401
    unsigned = jwt.encode(good, None, "none", headers={"kid": "RS256"})
    yield {"Authorization": f"Bearer {unsigned}"}, DATUM, 401


def webhooks():
    """Requests that Standard Webhooks' library signs, and the expected statuses."""
    now = datetime.datetime.now(datetime.timezone.utc)
    for body, more in [
        (DATUM, {}),
        (base64.b64encode(DATUM), {"Content-Transfer-Encoding": "base64"}),
        ('{"id":1,"name":"José","email":"j@x"}'.encode(), {"Content-Type": "application/json"}),
    ]:
        for secret, age, sent, expected in [
            (WEBHOOK_SECRET, 0, body, 202),
            (WEBHOOK_SECRET, 240, body, 202),
            (WEBHOOK_SECRET, 400, body, 401),
            (WEBHOOK_SECRET, 0, body + b" ", 401),
            ("whsec_" + base64.b64encode(bytes(24)).decode(), 0, body, 401),
        ]:
            at = now - datetime.timedelta(seconds=age)
            signature = Webhook(secret).sign("msg_1", at, body.decode())
            headers = {
                "webhook-id": "msg_1",
                "webhook-timestamp": str(int(at.timestamp())),
                "webhook-signature": f"v1,AAAA {signature}",
            }
            yield {**headers, **more}, sent, expected


def main():
    folder = pathlib.Path(sys.argv[1])
    if len(sys.argv) == 2:
        write_keys(folder)
        return
    count = 0
    for headers, body, expected in [*tokens(folder), *webhooks()]:
        found = status(sys.argv[2], headers, body)
        assert found == expected, f"{found} instead of {expected}: {headers} {body}"
        count += 1
    print(f"{count} requests, all as expected")


main()
