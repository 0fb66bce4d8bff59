"""Runs the conformance pack: CART_RISK_KEY=cr_... python runner.py http://127.0.0.1:3000."""

import json
import math
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path


def ask(address, request, answers, key):
    """Send one request; return status, headers and text."""
    earlier = answers.get(request.get("after"), {}).get("assessment_id", "")
    body = request.get("text")
    if "json" in request:
        body = json.dumps(request["json"])
    headers = {"content-type": request.get("content_type", "application/json")} if body else {}
    if (sent := request.get("key", key)) is not False:
        headers["authorization"] = f"Bearer {sent}"
    url = address + request["path"].replace("{id}", earlier)
    data = body.replace("{id}", earlier).encode() if body else None
    asked = urllib.request.Request(url, data, headers, method=request["method"])  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=30) as got:  # noqa: S310
            return got.status, got.headers, got.read().decode()
    except urllib.error.HTTPError as got:
        return got.code, got.headers, got.read().decode()


def at(data, pointer):
    """Return what stands at a JSON pointer, or None."""
    for part in pointer.split("/")[1:]:
        try:
            data = data[int(part)] if isinstance(data, list) else data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def risks(answer):
    """Return every risk that was given."""
    return [one["risk"] for one in answer.get("outcomes", []) if "risk" in one]


def adds_up(outcome):
    """Tell whether the account of a risk is exact."""
    told, risk = outcome["explanation"], outcome["risk"]
    total = told["base"] + sum(one["log_odds"] for one in told["contributions"])
    exact = abs(total - told["total"]) < 1e-6 and abs(math.log(risk / (1 - risk)) - total) < 1e-6
    return exact and outcome["interval"]["low"] <= risk <= outcome["interval"]["high"]


def failures(expect, status, headers, text, answers):
    """Return what is not as expected, in words; also the answer as data."""
    kind = headers.get("content-type", "").partition(";")[0]
    lines = kind == "application/x-ndjson"
    data = {"items": [json.loads(x) for x in text.splitlines()]} if lines else json.loads(text)
    pairs = [[p["field"], p["code"]] for p in data.get("problems", [])]
    other = at(answers, "/" + expect.get("same_risks_as", "")) or data
    checks = {
        "status": status == expect["status"],
        "content_type": kind == expect["content_type"],
        "headers": all(v in headers.get(k, "") for k, v in expect.get("headers", {}).items()),
        "equal": all(at(data, k) == v for k, v in expect.get("equal", {}).items()),
        "present": all(at(data, k) is not None for k in expect.get("present", [])),
        "absent": all(at(data, k) is None for k in expect.get("absent", [])),
        "problems": sorted(pairs) == sorted(expect.get("problems", pairs)),
        "silent_about": not any(word in text for word in expect.get("silent_about", [])),
    }
    if "statuses" in expect:
        checks["statuses"] = [one["status"] for one in data.get("items", [])] == expect["statuses"]
    if "adds_up" in expect:
        checks["adds_up"] = all(adds_up(one) for one in data.get("outcomes", []) if "risk" in one)
    if "same_risks_as" in expect:
        both = zip(risks(data), risks(other), strict=True)
        checks["same_risks_as"] = all(abs(one - two) < 1e-9 for one, two in both)
    return [name for name, holds in checks.items() if not holds], data


def main(address, key):
    """Run every case; return how many failed."""
    answers, failed = {}, 0
    for case in json.loads(Path(__file__).with_name("cases.json").read_text("utf-8"))["cases"]:
        status, headers, text = ask(address, case["request"], answers, key)
        wrong, answers[case["name"]] = failures(case["expect"], status, headers, text, answers)
        failed += bool(wrong)
        print(f"{'FAILED' if wrong else 'ok    '} {case['name']} {' '.join(wrong)}".rstrip())
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/"), os.environ.get("CART_RISK_KEY", "")))
