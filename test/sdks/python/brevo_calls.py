"""Brevo's SDK for Python, 5.x."""

import uuid

from brevo import Brevo
from calls import attempt, key, label, lossy, lost, refused, url

client = Brevo(api_key=key, base_url=f"{url}/v3")
losing = Brevo(api_key=key, base_url=f"{lossy}/v3")
once = {"max_retries": 0}


def send(subject, via=client, **more):
    terms = {
        "sender": {"name": "Acme", "email": "hello@example.com"},
        "to": [{"email": "ann@example.org"}],
        "subject": f"once: {label} {subject}",
        "html_content": "<p>Hi {{params.name}}</p>",
        "params": {"name": "Ann"},
        **more,
    }
    return via.transactional_emails.send_transac_email(**terms, request_options=once)


def header(value):
    return {"idempotencyKey": value}


keys = [str(uuid.uuid4()) for _ in range(3)]
attempt("send", lambda: send("send").message_id.startswith("<"))
first = attempt("send with a key", lambda: send("key", headers=header(keys[0])).message_id)
refused("replay", lambda: send("key", headers=header(keys[0])), first or "duplicate_parameter")
refused("conflict", lambda: send("other", headers=header(keys[0])), "duplicate_parameter")


def again():
    refused("lost answer", lambda: send("lost", via=losing, headers=header(keys[1])), "duplicate_parameter")
    return True


lost(lambda: send("lost", via=losing, headers=header(keys[1])), again)
attempt("versions", lambda: len(send("versions", to=None, message_versions=[
    {"to": [{"email": "a@example.org"}], "subject": f"once: {label} version a"},
    {"to": [{"email": "b@example.org"}], "subject": f"once: {label} version b"}]).message_ids) == 2)
attempt("attachment", lambda: send("files", attachment=[{"name": "a.txt", "content": "aGVsbG8="}]).message_id != "")
attempt("list", lambda: client.transactional_emails.get_transac_emails_list(message_id=first).count is not None)
attempt("events", lambda: client.transactional_emails.get_email_event_report() is not None)
attempt("reports", lambda: client.transactional_emails.get_aggregated_smtp_report().requests > 0)
attempt("blocked contacts", lambda: client.transactional_emails.get_transac_blocked_contacts().count >= 0)
attempt("templates", lambda: client.transactional_emails.get_smtp_templates().count >= 1)
attempt("senders", lambda: client.senders.get_senders() is not None)
attempt("domains", lambda: client.domains.get_domains() is not None)
attempt("account", lambda: client.account.get_account().email is not None)
attempt("webhooks", lambda: client.webhooks.get_webhooks() is not None)
attempt("contacts", lambda: client.contacts.create_contact(email=f"{keys[2]}@example.com").id > 0
        and client.contacts.get_contact_info(identifier=f"{keys[2]}@example.com").email == f"{keys[2]}@example.com"
        and client.contacts.get_contacts().count > 0)
attempt("lists", lambda: client.contacts.get_lists() is not None)
refused("a missing field", lambda: client.transactional_emails.send_transac_email(subject="x", request_options=once), "missing_parameter")
refused("a wrong key", lambda: Brevo(api_key="wrong", base_url=f"{url}/v3").account.get_account(request_options=once), "unauthorized")
