"""Signs requests with Oracle's Python SDK and compares the signatures with those in the input (JSON, standard input)."""

import json
import re
import sys

import oci
from oci._vendor import requests


def parameters(authorization):
    return dict(re.findall(r'(\w+)="([^"]*)"', authorization))


def main():
    table = json.load(sys.stdin)
    api_key = oci.signer.Signer(
        table["tenancy"], table["user"], table["fingerprint"], None, private_key_content=table["pem"]
    )
    private_key = oci.signer.load_private_key(table["pem"], None)
    token = oci.auth.signers.SecurityTokenSigner(table["token"], private_key)
    different = 0
    for row in table["requests"]:
        headers = {"date": table["date"]}
        if "content_type" in row:
            headers["content-type"] = row["content_type"]
        body = row["body"].encode() if "body" in row else None
        prepared = requests.Request(row["method"], row["url"], headers=headers, data=body).prepare()
        signer = token if row["kind"] == "token" else api_key
        signed = signer.without_content_headers(prepared) if row["upload"] else signer(prepared)
        theirs = {
            "authorization": parameters(signed.headers["authorization"]),
            "x-content-sha256": signed.headers.get("x-content-sha256"),
        }
        ours = dict(row["ours"], authorization=parameters(row["ours"]["authorization"]))
        if ours != theirs:
            different += 1
            print(json.dumps({"request": {k: str(v)[:200] for k, v in row.items()}, "theirs": theirs}, indent=1))
    if different:
        sys.exit(f"{different} of {len(table['requests'])} signatures differ from oci {oci.__version__}")
    print(f"{len(table['requests'])} requests, all signatures are the same as those of oci {oci.__version__}")


main()
