"""Brevo's SDKs for Python of before, which check every enum and every null: sib-api-v3-sdk 7.x and brevo-python 1.x."""

import importlib
import os
import uuid

from calls import attempt, key, label, lossy, lost, refused, url

sdk = importlib.import_module(os.environ["MODULE"])


def api(kind, base=url, token=key):
    configuration = sdk.Configuration()
    configuration.host = f"{base}/v3"
    configuration.api_key["api-key"] = token
    return getattr(sdk, kind)(sdk.ApiClient(configuration))


emails = api("TransactionalEmailsApi")
losing = api("TransactionalEmailsApi", lossy)


def send(subject, via=emails, **more):
    terms = {
        "sender": {"name": "Acme", "email": "hello@example.com"},
        "to": [{"email": "ann@example.org"}],
        "subject": f"once: {label} {subject}",
        "html_content": "<p>Hi {{params.name}}</p>",
        "params": {"name": "Ann"},
        **more,
    }
    return via.send_transac_email(sdk.SendSmtpEmail(**terms))


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
attempt("list", lambda: emails.get_transac_emails_list(message_id=first) is not None)
attempt("events", lambda: len(emails.get_email_event_report().events) > 0)
attempt("reports", lambda: emails.get_aggregated_smtp_report().requests > 0)
attempt("blocked contacts", lambda: emails.get_transac_blocked_contacts().count >= 0)
attempt("templates", lambda: emails.get_smtp_templates().count >= 1)
attempt("senders", lambda: api("SendersApi").get_senders() is not None)
attempt("account", lambda: api("AccountApi").get_account().email is not None)
attempt("webhooks", lambda: api("WebhooksApi").get_webhooks() is not None)
attempt("contacts", lambda: api("ContactsApi").create_contact(sdk.CreateContact(email=f"{keys[2]}@example.com")).id > 0
        and api("ContactsApi").get_contact_info(f"{keys[2]}@example.com").email == f"{keys[2]}@example.com")
attempt("lists", lambda: api("ContactsApi").get_lists() is not None)
refused("a missing field", lambda: emails.send_transac_email(sdk.SendSmtpEmail(subject="x")), "missing_parameter")
refused("a wrong key", lambda: api("AccountApi", token="wrong").get_account(), "unauthorized")
