"""Checks mails with dkimpy: `verify.py ZONE.json MAIL…`; one line of JSON for each, a member for each signature."""

import json
import re
import sys

import dkim

zone = json.load(open(sys.argv[1]))


def txt(name, timeout=5):
    text = zone.get(name.decode().rstrip(".").lower())
    return None if text is None else text.encode()


def check(message):
    signatures = []
    for index in range(len(re.findall(rb"^DKIM-Signature:", message.split(b"\r\n\r\n")[0], re.M | re.I))):
        verifier = dkim.DKIM(message)
        try:
            is_good = verifier.verify(idx=index, dnsfunc=txt)
        except dkim.DKIMException as error:
            is_good, reason = False, str(error)
        else:
            reason = ""
        fields = verifier.signature_fields or {}
        said = {name: fields.get(name.encode(), b"").decode() for name in ("a", "d", "s")}
        signatures.append({**said, "good": bool(is_good), "reason": reason})
    return signatures


for path in sys.argv[2:]:
    print(json.dumps(check(open(path, "rb").read())))
