"""Writes an order and its email in one transaction, and another one that is undone. Arguments: engine, database, id."""
import json
import sys

engine, database, order = sys.argv[1:]
if engine == "sqlite":
    import sqlite3

    connection, place = sqlite3.connect(database, timeout=10), "?"
else:
    import psycopg2

    connection, place = psycopg2.connect(database), "%s"

email = {"from": "Acme <onboarding@resend.dev>", "to": ["foo@gmail.com"], "subject": order, "text": "grüße"}
insert = f"insert into sendonce_outbox (id, payload) values ({place}, {place})"

cursor = connection.cursor()
cursor.execute(f"insert into orders (id) values ({place})", (order,))
cursor.execute(insert, (order, json.dumps(email)))
connection.commit()

cursor.execute(insert, (order + "/undone", json.dumps(email)))
connection.rollback()
connection.close()
