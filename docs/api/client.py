"""Assess one patient: CART_RISK_KEY=cr_... python client.py ADDRESS < patient.json."""

import json
import os
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

key = {"authorization": f"Bearer {os.environ['CART_RISK_KEY']}", "content-type": "application/json"}
asked = Request(f"{sys.argv[1]}/v1/assess", sys.stdin.buffer.read(), key)  # noqa: S310  # as below
try:
    answer = json.load(urlopen(asked, timeout=10))  # noqa: S310  # the caller names the address
except HTTPError as refused:
    sys.exit(refused.read().decode())  # every problem by its field; no value is repeated
print("status:", answer["status"])  # that of the worst outcome; each has its own
for caution in answer["cautions"]:
    print("caution:", caution["text"])
for one in answer["outcomes"]:
    said = one.get("natural_frequency", "no risk is given; " + "; ".join(one["reasons"]))
    print(f"{one['label']}: {said}")
