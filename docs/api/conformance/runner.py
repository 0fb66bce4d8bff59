"""Runs the conformance pack: CART_RISK_KEY=cr_... python runner.py http://127.0.0.1:3000."""

import json
import math
import os
import sys
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path


def at(it, pointer):
    """Return what stands at a JSON pointer, or None."""
    for part in pointer.split("/")[1:]:
        it = ({str(i): x for i, x in enumerate(it)} if isinstance(it, list) else it or {}).get(part)
    return it


def adds_up(one):
    """Tell whether the account of a risk is exact, and its interval holds the risk."""
    told, log_odds = one.get("explanation", one), math.log(one["risk"] / (1 - one["risk"]))
    added = dict.values if told is one else lambda parts: [part["log_odds"] for part in parts]
    sums = told["total"], told["base"] + sum(added(told["contributions"]))
    within = one["interval"]["low"] <= one["risk"] <= one["interval"]["high"]
    return within and all(abs(total - log_odds) < 1e-6 for total in sums)


scheme, _, host = sys.argv[1].rstrip("/").partition("://")
answers, failed = {None: {}}, 0
for case in json.loads(Path(__file__).with_name("cases.json").read_text("utf-8"))["cases"]:
    sent, want = case["request"], case["expect"]
    body = json.dumps(sent["json"]) if "json" in sent else sent.get("text", "")
    earlier = answers[sent.get("after")].get("assessment_id", "")
    path, body = (part.replace("{id}", earlier) for part in (sent["path"], body))
    headers = {"content-type": sent.get("content_type", "application/json")} if body else {}
    if (key := sent.get("key", os.environ.get("CART_RISK_KEY", ""))) is not False:
        headers["authorization"] = f"Bearer {key}"
    connection = (HTTPSConnection if scheme == "https" else HTTPConnection)(host, timeout=30)
    connection.request(sent["method"], path, body.encode() or None, headers)
    got = connection.getresponse()
    text, kind = got.read().decode(), got.headers.get_content_type()
    lines = [json.loads(x) for x in text.splitlines()] if kind == "application/x-ndjson" else None
    data = answers[case["name"]] = {"items": lines} if lines else json.loads(text)
    said = [[one["field"], one["code"]] for one in data.get("problems", [])]
    pair = data.get("outcomes", []), answers[want.get("same_risks_as")].get("outcomes", [])
    holds = {
        "status": (got.status, kind) == (want["status"], want["content_type"]),
        "headers": all(v in got.headers.get(k, "") for k, v in want.get("headers", {}).items()),
        "equal": all(at(data, k) == v for k, v in want.get("equal", {}).items()),
        "present": all(at(data, k) is not None for k in want.get("present", [])),
        "absent": all(at(data, k) is None for k in want.get("absent", [])),
        "problems": sorted(said) == sorted(want.get("problems", said)),
        "statuses": want.get("statuses") in (None, [x["status"] for x in data.get("items", [])]),
        "adds_up": "adds_up" not in want or all(adds_up(x) for x in pair[0] if "risk" in x),
        "same_risks_as": all(map(lambda a, b: abs(a["risk"] - b["risk"]) < 1e-9, *pair)),
        "silent_about": not any(word in text for word in want.get("silent_about", [])),
    }
    wrong = [name for name, held in holds.items() if not held]
    print("FAILED" if wrong else "ok    ", case["name"], *wrong)
    failed += bool(wrong)
sys.exit(failed)
