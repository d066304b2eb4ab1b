"""Starts the stand-in for Oracle Cloud of shared/testkit, and sends it requests that OpenSSL signs."""

import base64
import configparser
import contextlib
import email.utils
import hashlib
import http.client
import json
import subprocess
import urllib.parse
from pathlib import Path

from environment import program, wait


class Cloud:
    """Object Storage and Vault on the loopback. They verify the signature of every request."""

    def __init__(self, folder: Path):
        self.log = (folder / "standin.log").open("w")
        self.process = subprocess.Popen([program("oci-standin"), "--folder", folder], stdout=self.log, stderr=self.log)
        variables = folder / "standin.env"

        def is_up():
            assert self.process.poll() is None, "the stand-in for Oracle Cloud ended during its start"
            return variables.exists()

        wait("the stand-in for Oracle Cloud", is_up)
        lines = (line.removeprefix("export ").split("=", 1) for line in variables.read_text().splitlines())
        everything = {name: value.strip("'") for name, value in lines}
        # The variables that the platform sets for a function or a container instance, and the services' address.
        self.variables = {n: v for n, v in everything.items() if n.startswith("OCI_RESOURCE_PRINCIPAL_") or n == "OCI_ENDPOINT"}
        self.host = urllib.parse.urlsplit(everything["OCI_ENDPOINT"]).netloc
        profile = configparser.ConfigParser()
        profile.read(everything["OCI_CLI_CONFIG_FILE"])
        self.profile = profile["DEFAULT"]
        self.namespace = json.loads(self._request("GET", "/n"))

    def bucket(self, name: str):
        self._request("POST", f"/n/{self.namespace}/b", json.dumps({"name": name}).encode(), signs_body=True)

    def object(self, bucket: str, name: str, content: str):
        self._request("PUT", f"/n/{self.namespace}/b/{bucket}/o/{urllib.parse.quote(name)}", content.encode())

    def secret(self, name: str, content: str) -> str:
        """Stores a secret in the vault and returns its OCID."""
        return self._request("PUT", f"/control/secrets/{name}", content.encode()).strip()

    def _request(self, method: str, path: str, body: bytes | None = None, signs_body=False) -> str:
        """https://docs.oracle.com/iaas/Content/API/Concepts/signingrequests.htm"""
        headers = {"date": email.utils.formatdate(usegmt=True), "(request-target)": f"{method.lower()} {path}", "host": self.host}
        if signs_body:
            headers |= {
                "content-length": str(len(body)),
                "content-type": "application/json",
                "x-content-sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
            }
        text = "\n".join(f"{name}: {value}" for name, value in headers.items())
        signed = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.profile["key_file"]], input=text.encode(), capture_output=True, check=True
        )
        key_id = "/".join(self.profile[part] for part in ("tenancy", "user", "fingerprint"))
        headers["authorization"] = (
            f'Signature version="1",headers="{" ".join(headers)}",keyId="{key_id}",algorithm="rsa-sha256",'
            f'signature="{base64.b64encode(signed.stdout).decode()}"'
        )
        del headers["(request-target)"]
        with contextlib.closing(http.client.HTTPConnection(self.host, timeout=30)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read().decode()
        assert response.status == 200, f"{method} {path}: {response.status} {content}"
        return content

    def end(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()
