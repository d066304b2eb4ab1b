"""Tokens of AWS's signer for Amazon MSK.

signer.py FILE    FILE is JSON: [{"id": "...", "secret": "...", "token": null, "region": "...", "time": 0}]. Prints the
                  signer's user agent, then a token a line.
"""

import datetime
import json
import sys

import botocore.auth
import botocore.compat
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from botocore.credentials import CredentialProvider, Credentials


class Fixed(CredentialProvider):
    def __init__(self, case):
        super().__init__()
        self.case = case

    def load(self):
        return Credentials(self.case["id"], self.case["secret"], self.case["token"])


print(MSKAuthTokenProvider.__get_user_agent__())
with open(sys.argv[1]) as file:
    cases = json.load(file)
for case in cases:
    now = datetime.datetime.fromtimestamp(case["time"], datetime.timezone.utc)
    botocore.auth.get_current_datetime = lambda *arguments, **options: now
    token, _ = MSKAuthTokenProvider.generate_auth_token_from_credentials_provider(case["region"], Fixed(case))
    print(token)
