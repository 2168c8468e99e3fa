// Resend's SDK for Go: each call is tried, and told on a line of its own as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/resend/resend-go/v3"
)

var label = os.Getenv("SDK")

func told(call string, ok bool, said string) {
	line, _ := json.Marshal(map[string]any{"call": call, "ok": ok, "said": said})
	fmt.Println(string(line))
}

func attempt(call string, ok bool, err error) {
	said := ""
	if err != nil {
		said = err.Error()
	}
	told(call, err == nil && ok, said)
}

func refused(call string, err error, words string) {
	if err == nil {
		told(call, false, "was not refused")
		return
	}
	told(call, strings.Contains(err.Error(), words), err.Error())
}

func clientAt(base string, key string) *resend.Client {
	client := resend.NewClient(key)
	client.BaseURL, _ = url.Parse(base + "/")
	return client
}

func mail(subject string) *resend.SendEmailRequest {
	return &resend.SendEmailRequest{
		From:    "Acme <onboarding@resend.dev>",
		To:      []string{"foo@gmail.com"},
		Subject: "once: " + label + " " + subject,
		Html:    "<p>Hi</p>",
	}
}

func keyed(name string) *resend.SendEmailOptions {
	return &resend.SendEmailOptions{IdempotencyKey: label + "/" + name}
}

func main() {
	ctx := context.Background()
	client := clientAt(os.Getenv("SENDONCE_URL"), os.Getenv("SENDONCE_KEY"))
	losing := clientAt(os.Getenv("LOSSY_URL"), os.Getenv("SENDONCE_KEY"))

	sent, err := client.Emails.Send(mail("send"))
	attempt("send", sent != nil && len(sent.Id) == 36, err)
	first, err := client.Emails.SendWithOptions(ctx, mail("key"), keyed("key"))
	attempt("send with a key", first != nil && first.Id != "", err)
	replay, err := client.Emails.SendWithOptions(ctx, mail("key"), keyed("key"))
	attempt("replay", replay != nil && replay.Id == first.Id, err)
	_, err = client.Emails.SendWithOptions(ctx, mail("other"), keyed("key"))
	refused("conflict", err, "request body was modified")
	_, err = losing.Emails.SendWithOptions(ctx, mail("lost"), keyed("lost"))
	again, errAgain := losing.Emails.SendWithOptions(ctx, mail("lost"), keyed("lost"))
	attempt("lost answer", err != nil && again != nil && again.Id != "", errAgain)

	batch, err := client.Batch.Send([]*resend.SendEmailRequest{mail("batch 1"), mail("batch 2")})
	attempt("batch", batch != nil && len(batch.Data) == 2, err)
	batchOptions := &resend.BatchSendEmailOptions{IdempotencyKey: label + "/batch"}
	once, err := client.Batch.SendWithOptions(ctx, []*resend.SendEmailRequest{mail("keyed batch")}, batchOptions)
	twice, errTwice := client.Batch.SendWithOptions(ctx, []*resend.SendEmailRequest{mail("keyed batch")}, batchOptions)
	attempt("batch with a key", err == nil && twice != nil && once.Data[0].Id == twice.Data[0].Id, errTwice)
	bad := mail("refused")
	bad.To = []string{"nobody"}
	permissive := &resend.BatchSendEmailOptions{BatchValidation: resend.BatchValidationPermissive}
	mixed, err := client.Batch.SendWithOptions(ctx, []*resend.SendEmailRequest{mail("permissive"), bad}, permissive)
	attempt("batch, permissive", mixed != nil && len(mixed.Data) == 1 && len(mixed.Errors) == 1, err)

	files := mail("files")
	files.Html = `<img src="cid:logo">`
	files.Attachments = []*resend.Attachment{
		{Filename: "a.txt", Content: []byte("hello")},
		{Filename: "logo.png", Content: []byte("png"), ContentId: "logo"},
	}
	withFiles, err := client.Emails.Send(files)
	attempt("attachment, inline image", withFiles != nil && withFiles.Id != "", err)

	scheduled := mail("later")
	scheduled.ScheduledAt = "in 1 hour"
	later, err := client.Emails.Send(scheduled)
	attempt("schedule", later != nil && later.Id != "", err)
	moved, err := client.Emails.Update(&resend.UpdateEmailRequest{Id: later.Id, ScheduledAt: "in 2 hours"})
	attempt("reschedule", moved != nil && moved.Id == later.Id, err)
	canceled, err := client.Emails.Cancel(later.Id)
	attempt("cancel", canceled != nil && canceled.Id == later.Id, err)
	got, err := client.Emails.Get(first.Id)
	attempt("get", got != nil && got.Id == first.Id, err)
	listed, err := client.Emails.List()
	attempt("list", len(listed.Data) > 5, err)
	for _, one := range strings.Split(os.Getenv("FIXTURES"), ",") {
		name, id, _ := strings.Cut(one, "=")
		email, err := client.Emails.Get(id)
		attempt("read a "+name+" email", email != nil && email.Id == id, err)
	}
	_, err = client.Emails.Send(bad)
	refused("a bad address", err, "email@example.com")

	domain, err := client.Domains.Create(&resend.CreateDomainRequest{Name: strings.ReplaceAll(label, " ", "-") + ".example.com"})
	attempt("create a domain", domain.Id != "", err)
	seen, err := client.Domains.Get(domain.Id)
	_, errVerify := client.Domains.Verify(domain.Id)
	domains, errList := client.Domains.List()
	gone, errRemove := client.Domains.Remove(domain.Id)
	attempt("get, verify, list, remove domains", seen.Id == domain.Id && len(domains.Data) > 0 && gone,
		firstOf(err, errVerify, errList, errRemove))

	key, err := client.ApiKeys.Create(&resend.CreateApiKeyRequest{Name: label, Permission: "sending_access"})
	attempt("create an API key", key.Id != "", err)
	keys, err := client.ApiKeys.List()
	removed, errKey := client.ApiKeys.Remove(key.Id)
	attempt("list, remove API keys", len(keys.Data) > 0 && removed, firstOf(err, errKey))

	attempt("verify a webhook", true, client.Webhooks.Verify(hook(os.Getenv("HOOK_BODY"))))
	refused("a webhook that was changed", client.Webhooks.Verify(hook(os.Getenv("HOOK_BODY")+" ")), "")

	_, err = clientAt(os.Getenv("SENDONCE_URL"), "re_wrong").Emails.Send(mail("wrong"))
	refused("a wrong key", err, "API key is invalid")
}

func hook(body string) *resend.VerifyWebhookOptions {
	return &resend.VerifyWebhookOptions{
		Payload: body,
		Headers: resend.WebhookHeaders{
			Id:        os.Getenv("HOOK_ID"),
			Timestamp: os.Getenv("HOOK_TIMESTAMP"),
			Signature: os.Getenv("HOOK_SIGNATURE"),
		},
		WebhookSecret: os.Getenv("HOOK_SECRET"),
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
