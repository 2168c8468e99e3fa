"""An outbox by hand. `python3 outbox.py shop.db 4711`: commits order 4711 with its email, then sends what is in the table."""

import http.client, json, os, sqlite3, sys, time, urllib.error, urllib.request

file, order = sys.argv[1:]
db = sqlite3.connect(file)
db.execute("create table if not exists orders (id text primary key)")
db.execute("create table if not exists outbox (id text primary key, payload text not null, email_id text, error text)")

email = {"from": "shop@example.com", "to": "ann@example.org", "subject": f"Your order {order}", "text": "Thank you."}
with db:  # one transaction
    db.execute("insert or ignore into orders values (?)", (order,))
    db.execute("insert or ignore into outbox (id, payload) values (?, ?)", (f"receipt/{order}", json.dumps(email)))


def send(key, payload):
    """Which column to fill with what; None where nothing is known, and the same request may be sent again."""
    headers = {"Authorization": f"Bearer {os.environ['RESEND_API_KEY']}", "Content-Type": "application/json", "Idempotency-Key": key}
    request = urllib.request.Request(os.environ["RESEND_BASE_URL"] + "/emails", payload.encode(), headers)
    try:
        return "email_id", json.load(urllib.request.urlopen(request, timeout=30))["id"]
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")
        is_final = 400 <= error.code < 500 and error.code not in (401, 408, 429) and "concurrent_idempotent_requests" not in said
        return ("error", said) if is_final else None
    except (OSError, ValueError, http.client.HTTPException):
        return None


waiting = "select id, payload from outbox where email_id is null and error is null order by rowid"
while rows := db.execute(waiting).fetchall():
    for id, payload in rows:
        if outcome := send(f"outbox/{id}", payload):
            with db:
                db.execute(f"update outbox set {outcome[0]} = ? where id = ?", (outcome[1], id))
    time.sleep(0.2)  # what is not known to be accepted or refused is asked again, under the same key
