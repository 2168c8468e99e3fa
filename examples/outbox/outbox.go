// An outbox by hand. `go run outbox.go shop.db 4711`: commits order 4711 with its email, then sends what is in the table.
package main

import (
	"database/sql"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// Which column to fill with what; "" where nothing is known, and the same request may be sent again.
func send(key, payload string) (column, value string) {
	request := must(http.NewRequest("POST", os.Getenv("RESEND_BASE_URL")+"/emails", strings.NewReader(payload)))
	request.Header.Set("Authorization", "Bearer "+os.Getenv("RESEND_API_KEY"))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	answer, err := (&http.Client{Timeout: 30 * time.Second}).Do(request)
	if err != nil {
		return "", ""
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	var said struct{ ID, Name string }
	if err != nil || json.Unmarshal(body, &said) != nil {
		return "", ""
	}
	status := answer.StatusCode
	isOpen := status == 401 || status == 408 || status == 429 || said.Name == "concurrent_idempotent_requests"
	if status < 300 {
		return "email_id", said.ID
	} else if status >= 400 && status < 500 && !isOpen {
		return "error", string(body)
	}
	return "", ""
}

func main() {
	file, order := os.Args[1], os.Args[2]
	db := must(sql.Open("sqlite3", file))
	must(db.Exec("create table if not exists orders (id text primary key)"))
	must(db.Exec("create table if not exists outbox (id text primary key, payload text not null, email_id text, error text)"))

	email := map[string]string{"from": "shop@example.com", "to": "ann@example.org", "subject": "Your order " + order, "text": "Thank you."}
	tx := must(db.Begin())
	must(tx.Exec("insert or ignore into orders values (?)", order))
	must(tx.Exec("insert or ignore into outbox (id, payload) values (?, ?)", "receipt/"+order, string(must(json.Marshal(email)))))
	must(0, tx.Commit())

	for {
		var id, payload string
		waiting := [][2]string{}
		rows := must(db.Query("select id, payload from outbox where email_id is null and error is null order by rowid"))
		for rows.Next() {
			must(0, rows.Scan(&id, &payload))
			waiting = append(waiting, [2]string{id, payload})
		}
		must(0, rows.Close())
		if len(waiting) == 0 {
			return
		}
		for _, row := range waiting {
			if column, value := send("outbox/"+row[0], row[1]); column != "" {
				must(db.Exec("update outbox set "+column+" = ? where id = ?", value, row[0]))
			}
		}
		time.Sleep(200 * time.Millisecond) // what is not known to be accepted or refused is asked again, under the same key
	}
}
