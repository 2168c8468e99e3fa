"""Resend's SDK for Python."""

import base64
import os

import resend
from calls import attempt, fixtures, key, label, lossy, lost, refused, url

resend.api_key = key
resend.api_url = url
mail = {"from": "Acme <onboarding@resend.dev>", "to": ["foo@gmail.com"], "subject": "hello", "html": "<p>Hi</p>"}


def named(subject, **more):
    return {**mail, "subject": f"once: {label} {subject}", **more}


def option(name):
    return {"idempotency_key": f"{label}/{name}"}


def through(base, work):
    resend.api_url = base
    try:
        return work()
    finally:
        resend.api_url = url


attempt("send", lambda: len(resend.Emails.send(named("send"))["id"]) == 36)
first = attempt("send with a key", lambda: resend.Emails.send(named("key"), option("key"))["id"])
attempt("replay", lambda: resend.Emails.send(named("key"), option("key"))["id"] == first)
refused("conflict", lambda: resend.Emails.send(named("other"), option("key")), "request body was modified")
attempt(
    "lost answer",
    lambda: lost(
        lambda: through(lossy, lambda: resend.Emails.send(named("lost"), option("lost"))),
        lambda: len(through(lossy, lambda: resend.Emails.send(named("lost"), option("lost")))["id"]) == 36,
    ),
)
attempt("batch", lambda: len(resend.Batch.send([named("batch 1"), named("batch 2")])["data"]) == 2)
attempt(
    "batch with a key",
    lambda: resend.Batch.send([named("keyed batch")], option("batch"))["data"]
    == resend.Batch.send([named("keyed batch")], option("batch"))["data"],
)
attempt(
    "batch, permissive",
    lambda: [
        len(answer["data"]) == 1 and answer["errors"][0]["index"] == 1
        for answer in [resend.Batch.send([named("permissive"), {**mail, "to": ["nobody"]}], {"batch_validation": "permissive"})]
    ]
    == [True],
)
attempt(
    "attachment, inline image",
    lambda: resend.Emails.send(
        named(
            "files",
            html='<img src="cid:logo">',
            attachments=[
                {"filename": "a.txt", "content": base64.b64encode(b"hello").decode()},
                {"filename": "logo.png", "content": base64.b64encode(b"png").decode(), "content_id": "logo"},
            ],
        )
    )["id"]
    != "",
)
later = attempt("schedule", lambda: resend.Emails.send({**mail, "scheduled_at": "in 1 hour"})["id"])
attempt("reschedule", lambda: resend.Emails.update({"id": later, "scheduled_at": "in 2 hours"})["id"] == later)
attempt("cancel", lambda: resend.Emails.cancel(later)["id"] == later)
attempt("get", lambda: resend.Emails.get(first)["id"] == first)
attempt("list", lambda: len(resend.Emails.list({"limit": 20})["data"]) > 5)
for name, id in fixtures:
    attempt(f"read a {name} email", lambda: resend.Emails.get(id)["id"] == id)
refused("a bad address", lambda: resend.Emails.send({**mail, "to": ["nobody"]}), "email@example.com")
domain = attempt("create a domain", lambda: resend.Domains.create({"name": f"{label.replace(' ', '-')}.example.com"})["id"])
attempt("get, verify, list, remove domains", lambda: (
    resend.Domains.get(domain)["status"] in ("not_started", "pending")
    and resend.Domains.verify(domain)["id"] == domain
    and len(resend.Domains.list()["data"]) > 0
    and resend.Domains.remove(domain)["deleted"]
))
made = attempt("create an API key", lambda: resend.ApiKeys.create({"name": label, "permission": "sending_access"}))
attempt("list, remove API keys", lambda: len(resend.ApiKeys.list()["data"]) > 0 and resend.ApiKeys.remove(made["id"]) is not False)
hook = attempt("create a webhook", lambda: resend.Webhooks.create({"endpoint": "https://example.com/hook", "events": ["email.sent"]})["id"])
attempt("get, list, remove webhooks", lambda: (
    resend.Webhooks.get(hook)["id"] == hook
    and len(resend.Webhooks.list()["data"]) > 0
    and resend.Webhooks.remove(hook)["deleted"]
))


def verify(body):
    headers = {part: os.environ[f"HOOK_{part.upper()}"] for part in ("id", "timestamp", "signature")}
    return resend.Webhooks.verify({"payload": body, "headers": headers, "webhook_secret": os.environ["HOOK_SECRET"]})


attempt("verify a webhook", lambda: verify(os.environ["HOOK_BODY"])["type"] == "email.bounced")
refused("a webhook that was changed", lambda: verify(os.environ["HOOK_BODY"] + " "), "")
attempt("suppressions", lambda: (
    resend.Suppressions.add({"email": "gone@example.com"})["id"] != ""
    and len(resend.Suppressions.list()["data"]) > 0
))
template = attempt("create a template", lambda: resend.Templates.create({
    "name": label, "from": "Acme <onboarding@resend.dev>", "subject": f"once: {label} template",
    "html": "<p>{{{NAME}}}</p>", "variables": [{"key": "NAME", "type": "string"}]})["id"])
attempt("publish and send a template", lambda: (
    resend.Templates.publish(template)["id"] == template
    and resend.Emails.send({"to": ["foo@gmail.com"], "template": {"id": template, "variables": {"NAME": "Ann"}},
                            "from": "Acme <onboarding@resend.dev>"})["id"] != ""
))
audience = attempt("create an audience", lambda: resend.Audiences.create({"name": label})["id"])
attempt("contacts", lambda: (
    resend.Contacts.create({"audience_id": audience, "email": f"{len(label)}@example.com", "first_name": "Ann"})["id"] != ""
    and len(resend.Contacts.list(audience_id=audience)["data"]) == 1
))
resend.api_key = "re_wrong"
refused("a wrong key", lambda: resend.Emails.send(mail), "API key is invalid")
