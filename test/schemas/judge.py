"""Asks a server what a specification allows, and what it does not, and says where an answer fits neither it nor the promise.

Reads its terms (JSON) from the standard input; prints a line of JSON for each operation.
"""

import json
import random
import re
import sys

import hypothesis
import schemathesis
from schemathesis.specs.openapi.checks import response_schema_conformance

terms = json.load(sys.stdin)
spec, base, cases = terms["spec"], terms["base"], terms["cases"]
chance = random.Random(terms["seed"])
headers = {"authorization": f"Bearer {terms['key']}", "api-key": terms["key"]}
# Ids that answers have told, by the part of the path that they stand behind.
pools = {}
# The first 2xx under each key, with the body that it was an answer to.
told = {}
# Requests under a key that had its 2xx: with the same body, and with another one.
again = {"same": 0, "other": 0}


def bare(path):
    return re.sub(r"\{[^}]*\}", "{}", path)


def before(template):
    """The literal part in front of each parameter."""
    parts = template.strip("/").split("/")
    return {part[1:-1]: parts[at - 1] for at, part in enumerate(parts) if part.startswith("{") and at > 0}


def remember(template, value):
    last = [part for part in template.strip("/").split("/") if not part.startswith("{")][-1]
    pool = pools.setdefault(last, [])
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            continue
        for name in ("id", "messageId", "uuid", "email", "name"):
            if isinstance(one.get(name), (str, int)) and len(pool) < 500:
                pool.append(one[name])
        for inner in one.values():
            if isinstance(inner, list):
                remember(template, inner)


# What a request mostly needs; of the rest, which has rules of its own, most is left out now and then.
NEEDED = set(
    "from to subject html text sender htmlContent textContent name email emails key type endpoint url events segment_id "
    "audience_id id topics topic_id subscription status params templateId templateName isActive domain domainName".split()
)


def likely(value, name="", thin=False):
    """The same body, with what a server can accept."""
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if not thin or key in NEEDED or chance.random() < 0.25}
        return {key: likely(inner, key, thin) for key, inner in kept.items()}
    if name in ("to", "cc", "bcc", "replyTo") and isinstance(value, list) and value and isinstance(value[0], dict):
        return [{"email": address()}]
    if name in ("to", "cc", "bcc", "emails"):
        return [address()]
    if isinstance(value, list):
        return [likely(inner, name, thin) for inner in value]
    if not isinstance(value, str):
        return value
    if name in ("from", "email", "reply_to", "replyTo"):
        return address()
    if name in ("subject", "name", "key", "templateName", "description"):
        return f"word{chance.randrange(10_000)}"
    if name in ("domain", "domainName"):
        return f"d{chance.randrange(1000)}.example.com"
    if name in ("endpoint", "url"):
        return f"https://example.com/{chance.randrange(1000)}"
    pool = pools.get(name.removesuffix("_id") + "s")
    return chance.choice(pool) if name.endswith("_id") and pool else value


def address():
    return f"user{chance.randrange(1000)}@example.com"


def prepare(case, template):
    names = before(template)
    for name in case.path_parameters or {}:
        pool = pools.get(names.get(name, ""))
        if pool and chance.random() < 0.7:
            case.path_parameters[name] = chance.choice(pool)
    if isinstance(case.body, (dict, list)) and chance.random() < 0.7:
        case.body = likely(case.body, thin=chance.random() < 0.6)
        if template == "/domains" and isinstance(case.body, dict):
            case.body["name"] = f"d{chance.randrange(1000)}.example.com"
    if sends(template) and chance.random() < 0.7:
        case.body = sendable(case.body, template)


def sends(template):
    return spec == "brevo" and template == "/smtp/email" or spec != "brevo" and bare(template) in ("/emails", "/email", "/emails/batch")


def sendable(body, template):
    """What it takes to be accepted, and now and then something of what the specification allows beside it."""
    if bare(template) == "/emails/batch":
        given = body if isinstance(body, list) else []
        return [sendable(one, "/emails") for one in (given or [{}])[:5]]
    given = body if isinstance(body, dict) else {}
    kept = {name: inner for name, inner in given.items() if chance.random() < 0.1}
    text = f"<p>word{chance.randrange(1000)}</p>"
    if spec == "brevo":
        return {**kept, "sender": {"email": SENDER}, "to": [{"email": address()}], "subject": "hello", "htmlContent": text}
    return {**kept, "from": SENDER, "to": [address()], "subject": "hello", "html": text}


SENDER = "hello@example.com"


def key_of(case, method, template):
    """A few keys, so that requests meet under each: half of those that come to a used one repeat what it was used for."""
    if method != "POST" or not sends(template):
        return None, {}
    slot = (bare(template), f"schemas-{chance.randrange(max(4, min(40, cases // 4)))}")
    first = told.get(slot)
    if first is not None and chance.random() < 0.5:
        case.body = first[1]
    if spec != "brevo":
        return slot, {"idempotency-key": slot[1]}
    if not isinstance(case.body, dict):
        return None, {}
    case.body = {**case.body, "headers": {"idempotencyKey": slot[1]}}
    return slot, {}


def judge(case, response, slot):
    if response.status_code >= 500:
        yield "5xx", f"{response.status_code} {response.text[:200]}"
    if 200 <= response.status_code < 300:
        if slot is not None:
            first, _ = told.setdefault(slot, (response.text, case.body))
            if first != response.text:
                yield "two answers", f"{first[:150]} and {response.text[:150]}"
        documented = case.operation.responses.status_codes
        if str(response.status_code) not in documented and "2XX" not in documented and "default" not in documented:
            yield "status", f"{response.status_code}, and documented is {', '.join(documented)}"
    try:
        case.validate_response(response, checks=[response_schema_conformance])
    except BaseExceptionGroup as group:
        for error in group.exceptions:
            yield "schema", f"{response.status_code}: {first_lines(error)}"


def first_lines(error):
    text = re.sub(r"\s+", " ", f"{getattr(error, 'validation_message', '') or error} at {'/'.join(map(str, getattr(error, 'instance_path', []) or []))}")
    return text[:300]


def run(operation):
    method, template = operation.method.upper(), operation.path
    statuses, failures = {}, {}

    def one(case):
        prepare(case, template)
        slot, more = key_of(case, method, template)
        try:
            response = case.call(base_url=base, headers={**headers, **more}, timeout=60)
        except (ValueError, UnicodeError) as error:
            # What no client can put on the wire.
            statuses["unsent"] = statuses.get("unsent", 0) + 1
            return
        except Exception as error:
            if "Invalid" in type(error).__name__ or "latin-1" in str(error):
                statuses["unsent"] = statuses.get("unsent", 0) + 1
                return
            failures.setdefault(("no answer", str(error)[:200]), [0, ""])[0] += 1
            return
        statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
        if slot in told:
            again["same" if told[slot][1] == case.body else "other"] += 1
        if 200 <= response.status_code < 300 and method != "DELETE":
            try:
                remember(template, response.json())
            except ValueError:
                pass
        for kind, words in judge(case, response, slot):
            entry = failures.setdefault((kind, re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4,}", "…", words)), [0, ""])
            entry[0] += 1
            if not entry[1]:
                entry[1] = case.as_curl_command()[:600]

    for mode, share in ((schemathesis.GenerationMode.POSITIVE, 0.7), (schemathesis.GenerationMode.NEGATIVE, 0.3)):
        settings = hypothesis.settings(
            max_examples=max(1, round(cases * share)),
            deadline=None,
            database=None,
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        try:
            strategy = operation.as_strategy(generation_mode=mode)
            hypothesis.seed(terms["seed"])(settings(hypothesis.given(strategy)(one)))()
        except hypothesis.errors.Unsatisfiable:
            pass
        except Exception as error:
            # An operation without parameters cannot be asked wrongly.
            if mode == schemathesis.GenerationMode.POSITIVE:
                failures[("not tried", f"{type(error).__name__}: {error}"[:300])] = [1, ""]
    found = [{"kind": kind, "says": says, "times": times, "example": example} for (kind, says), (times, example) in failures.items()]
    print(json.dumps({"operation": f"{method} {template}", "statuses": statuses, "failures": found}), flush=True)


schema = schemathesis.openapi.from_path(terms["path"])
wanted = set(terms["operations"])
order = {"POST": 0, "GET": 1, "PUT": 2, "PATCH": 2, "DELETE": 3}
operations = []
for result in schema.get_all_operations():
    operation = result.ok()
    if f"{operation.method.upper()} {bare(terms['prefix'] + operation.path)}" in wanted:
        operations.append(operation)
for operation in sorted(operations, key=lambda one: order.get(one.method.upper(), 2)):
    run(operation)
print(json.dumps({"keys": len(told), **again}), flush=True)
