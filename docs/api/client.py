"""Assess one patient: python client.py ADDRESS < patient.json, with the key in CART_RISK_KEY."""

import json
import os
import sys
import urllib.error
import urllib.request


def assess(address: str, patient: dict[str, object]) -> dict[str, object]:
    """Return the assessment, or raise with every problem that the service found."""
    headers = {
        "authorization": f"Bearer {os.environ['CART_RISK_KEY']}",
        "content-type": "application/json",
    }
    body = json.dumps(patient).encode()
    request = urllib.request.Request(f"{address}/v1/assess", body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        raise SystemExit(refused.read().decode()) from None


if __name__ == "__main__":
    print(json.dumps(assess(sys.argv[1], json.load(sys.stdin)), indent=1))
