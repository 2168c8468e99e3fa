"""What the scripts of all SDKs share: each call is tried, and told on a line of its own as JSON."""

import json
import os

url = os.environ["SENDONCE_URL"]
key = os.environ["SENDONCE_KEY"]
lossy = os.environ["LOSSY_URL"]
label = os.environ["SDK"]
# [name, id] of emails in every state.
fixtures = [one.split("=") for one in os.environ["FIXTURES"].split(",")]


def told(call, ok, said=""):
    print(json.dumps({"call": call, "ok": bool(ok), "said": str(said)[:300]}), flush=True)


def attempt(call, work):
    """`work` returns what is to be true of the answer, or raises."""
    try:
        answer = work()
        told(call, answer is not False, "" if answer is True else answer)
        return answer
    except Exception as error:  # noqa: BLE001 - whatever the SDK raises is its answer
        told(call, False, f"{type(error).__name__}: {error}")
        return None


def refused(call, work, words):
    """`work` must raise, and what it raises must say so."""
    try:
        answer = work()
        told(call, False, f"was not refused: {answer}")
    except Exception as error:  # noqa: BLE001
        text = f"{type(error).__name__}: {error} {getattr(error, 'body', '')}"
        told(call, words in text, text)



def lost(work, again):
    """The first answer is lost on its way; the same call again finds out what became of it."""
    try:
        work()
        return False
    except Exception:  # noqa: BLE001
        return again()
