#!/usr/bin/env python3
"""An extension of a Lambda function: receives every event and appends it to /opt/events, as a line of JSON."""

import http.client
import json
import os

NAME = os.path.basename(__file__)
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method, path, headers, body=None):
    api.request(method, f"/2020-01-01/extension/{path}", body, headers)
    response = api.getresponse()
    text = response.read()
    assert response.status == 200, text
    return response, json.loads(text)


subscription = json.dumps({"events": ["INVOKE", "SHUTDOWN"]})
registered, _ = call("POST", "register", {"Lambda-Extension-Name": NAME}, subscription)
identifier = {"Lambda-Extension-Identifier": registered.headers["Lambda-Extension-Identifier"]}
with open("/opt/events", "a") as events:
    while True:
        _, event = call("GET", "event/next", identifier)
        print(json.dumps(event), file=events, flush=True)
        if event["eventType"] == "SHUTDOWN":
            break
