"""Django's mail through anymail: VENDOR names whose backend."""

import os

import django
from calls import attempt, key, label, refused, url
from django.conf import settings
from django.core.mail import EmailMultiAlternatives

vendor = os.environ["VENDOR"]
settings.configure(
    EMAIL_BACKEND=f"anymail.backends.{vendor.lower()}.EmailBackend",
    INSTALLED_APPS=["anymail"],
    ANYMAIL={
        "RESEND_API_KEY": key,
        "RESEND_API_URL": f"{url}/",
        "BREVO_API_KEY": key,
        "BREVO_API_URL": f"{url}/v3/",
    },
)
django.setup()


def send(subject, to=("ann@example.org",), **more):
    mail = EmailMultiAlternatives(
        f"once: {label} {subject}", "Hi", "Acme <onboarding@resend.dev>", list(to), reply_to=["reply@example.com"]
    )
    mail.attach_alternative("<p>Hi</p>", "text/html")
    for name, value in more.get("fields", {}).items():
        setattr(mail, name, value)
    for file in more.get("files", []):
        mail.attach(*file)
    mail.send()
    return mail.anymail_status


def id_of(status):
    return len(str(status.message_id)) > 10 and status.status == {"queued"}


attempt("send", lambda: id_of(send("send", fields={"tags": ["welcome"], "metadata": {"order": "7"}})))
attempt("a file", lambda: id_of(send("file", files=[("a.txt", "hello", "text/plain")])))
attempt("several recipients", lambda: len(send("several", to=["ann@example.org", "Bob <bob@example.org>"]).recipients) == 2)
refused("a bad address", lambda: send("bad", to=["nobody@-"]), "AnymailRequestsAPIError")
settings.ANYMAIL[f"{vendor.upper()}_API_KEY"] = "re_wrong"
refused("a wrong key", lambda: send("wrong"), "AnymailRequestsAPIError")
