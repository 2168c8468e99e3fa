// Writes an order and its email in one transaction, and another one that is undone. Arguments: engine, database, id.
package main

import (
	"database/sql"
	"encoding/json"
	"os"
	"regexp"

	_ "github.com/lib/pq"
	_ "github.com/mattn/go-sqlite3"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	engine, database, order := os.Args[1], os.Args[2], os.Args[3]
	driver, place := "postgres", func(text string) string { return text }
	if engine == "sqlite" {
		driver = "sqlite3"
		place = func(text string) string { return regexp.MustCompile(`\$\d`).ReplaceAllString(text, "?") }
	} else {
		database += "&sslmode=disable"
	}
	connection, err := sql.Open(driver, database)
	must(err)
	email, err := json.Marshal(map[string]any{
		"from": "Acme <onboarding@resend.dev>", "to": []string{"foo@gmail.com"}, "subject": order, "text": "grüße",
	})
	must(err)
	insert := place("insert into sendonce_outbox (id, payload) values ($1, $2)")

	kept, err := connection.Begin()
	must(err)
	_, err = kept.Exec(place("insert into orders (id) values ($1)"), order)
	must(err)
	_, err = kept.Exec(insert, order, string(email))
	must(err)
	must(kept.Commit())

	undone, err := connection.Begin()
	must(err)
	_, err = undone.Exec(insert, order+"/undone", string(email))
	must(err)
	must(undone.Rollback())
	must(connection.Close())
}
