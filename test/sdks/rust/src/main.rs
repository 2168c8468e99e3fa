//! Resend's SDK for Rust: each call is tried, and told on a line of its own as JSON.

use std::env::var;
use std::fmt::Display;

use resend_rs::events::try_parse_event;
use resend_rs::idempotent::IdempotentTrait;
use resend_rs::list_opts::ListOptions;
use resend_rs::types::{
    BatchValidation, CreateApiKeyOptions, CreateAttachment, CreateDomainOptions, CreateEmailBaseOptions,
    UpdateEmailOptions,
};
use resend_rs::{ConfigBuilder, Resend};

fn told(call: &str, ok: bool, said: impl Display) {
    println!("{}", serde_json::json!({ "call": call, "ok": ok, "said": said.to_string() }));
}

fn attempt<T, E: Display>(call: &str, answer: Result<T, E>, judge: impl Fn(&T) -> bool) -> Option<T> {
    match answer {
        Ok(value) => {
            told(call, judge(&value), "");
            Some(value)
        }
        Err(error) => {
            told(call, false, error);
            None
        }
    }
}

fn refused<T, E: Display>(call: &str, answer: Result<T, E>, words: &str) {
    match answer {
        Ok(_) => told(call, false, "was not refused"),
        Err(error) => {
            let text = error.to_string();
            told(call, text.contains(words), text)
        }
    }
}

fn client(base: &str, key: &str) -> Resend {
    Resend::with_config(ConfigBuilder::new(key).base_url(base.parse().expect("a URL")).build())
}

fn mail(subject: &str) -> CreateEmailBaseOptions {
    let subject = format!("once: {} {subject}", var("SDK").expect("SDK"));
    CreateEmailBaseOptions::new("Acme <onboarding@resend.dev>", ["foo@gmail.com"], subject).with_html("<p>Hi</p>")
}

fn bad() -> CreateEmailBaseOptions {
    CreateEmailBaseOptions::new("Acme <onboarding@resend.dev>", ["nobody"], "refused").with_html("<p>Hi</p>")
}

/// It leaves that to others; its documentation names svix, whose signatures these are.
fn verify(body: &str) -> Result<(), standardwebhooks::WebhookError> {
    let mut headers = http::HeaderMap::new();
    for (name, from) in [("webhook-id", "HOOK_ID"), ("webhook-timestamp", "HOOK_TIMESTAMP"), ("webhook-signature", "HOOK_SIGNATURE")] {
        headers.insert(name, var(from).expect(from).parse().expect("a header"));
    }
    standardwebhooks::Webhook::new(&var("HOOK_SECRET").expect("HOOK_SECRET"))?.verify(body.as_bytes(), &headers)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = var("SENDONCE_URL").expect("SENDONCE_URL");
    let key = var("SENDONCE_KEY").expect("SENDONCE_KEY");
    let label = var("SDK").expect("SDK");
    let resend = client(&url, &key);
    let losing = client(&var("LOSSY_URL").expect("LOSSY_URL"), &key);
    let keyed = |name: &str| format!("{label}/{name}");

    attempt("send", resend.emails.send(mail("send")).await, |sent| sent.id.len() == 36);
    let once = || resend.emails.send(mail("key").with_idempotency_key(&keyed("key")));
    let first = attempt("send with a key", once().await, |sent| sent.id.len() == 36).map(|sent| sent.id.to_string());
    let first = first.unwrap_or_default();
    attempt("replay", once().await, |sent| sent.id.to_string() == first);
    let other = resend.emails.send(mail("other").with_idempotency_key(&keyed("key"))).await;
    refused("conflict", other, "request body was modified");
    let lost = || losing.emails.send(mail("lost").with_idempotency_key(&keyed("lost")));
    let is_lost = lost().await.is_err();
    attempt("lost answer", lost().await, |sent| is_lost && sent.id.len() == 36);

    attempt("batch", resend.batch.send(vec![mail("batch 1"), mail("batch 2")]).await, |data| data.len() == 2);
    let batch = || resend.batch.send(vec![mail("keyed batch")].with_idempotency_key(&keyed("batch")));
    let kept = batch().await.map(|data| data[0].id.to_string()).unwrap_or_default();
    attempt("batch with a key", batch().await, |data| data[0].id.to_string() == kept);
    let mixed = resend.batch.send_with_batch_validation(vec![mail("permissive"), bad()], BatchValidation::Permissive);
    attempt("batch, permissive", mixed.await, |answer| answer.data.len() == 1 && answer.errors.len() == 1);
    let files = mail("files")
        .with_attachment(CreateAttachment::from_content(b"hello".to_vec()).with_filename("a.txt"))
        .with_attachment(CreateAttachment::from_content(b"png".to_vec()).with_filename("l.png").with_content_id("logo"));
    attempt("attachment, inline image", resend.emails.send(files).await, |sent| sent.id.len() == 36);

    let later = resend.emails.send(mail("later").with_scheduled_at("in 1 hour")).await;
    let later = attempt("schedule", later, |sent| sent.id.len() == 36).map(|sent| sent.id.to_string()).unwrap_or_default();
    let moved = UpdateEmailOptions::new().with_scheduled_at("in 2 hours");
    attempt("reschedule", resend.emails.update(&later, moved).await, |_| true);
    attempt("cancel", resend.emails.cancel(&later).await, |_| true);
    attempt("get", resend.emails.get(&first).await, |email| email.id.to_string() == first);
    for one in var("FIXTURES").expect("FIXTURES").split(',') {
        let (name, id) = one.split_once('=').expect("a name and an id");
        let read = resend.emails.get(id).await;
        let call = format!("read a {name} email");
        // Its enum of events has no `suppressed`: not ours to mend.
        if name == "suppressed" {
            refused(&call, read, "");
        } else {
            attempt(&call, read, |email| email.id.to_string() == id);
        }
    }
    let body = var("HOOK_BODY").expect("HOOK_BODY");
    attempt("verify a webhook", verify(&body), |_| true);
    refused("a webhook that was changed", verify(&format!("{body} ")), "");
    // Its enum of bounces has two of their many kinds: not ours to mend.
    refused("read a webhook of a bounce", try_parse_event(&body), "");
    // Its enum of events has no `suppressed`, which the list holds: not ours to mend.
    refused("list, which holds a suppressed email", resend.emails.list(ListOptions::default()).await, "");
    refused("a bad address", resend.emails.send(bad()).await, "email@example.com");

    let name = format!("{}.example.com", label.replace(' ', "-").to_lowercase());
    let domain = attempt("create a domain", resend.domains.create(CreateDomainOptions::new(&name)).await, |_| true);
    if let Some(domain) = domain {
        let id = domain.id.to_string();
        attempt("verify a domain", resend.domains.verify(&id).await, |_| true);
        attempt("list domains", resend.domains.list(ListOptions::default()).await, |list| !list.data.is_empty());
        attempt("remove a domain", resend.domains.delete(&id).await, |answer| answer.deleted);
    }
    let made = attempt("create an API key", resend.api_keys.create(CreateApiKeyOptions::new(&label)).await, |_| true);
    attempt("list API keys", resend.api_keys.list(ListOptions::default()).await, |list| !list.data.is_empty());
    if let Some(made) = made {
        attempt("remove an API key", resend.api_keys.delete(&made.id.to_string()).await, |_| true);
    }
    refused("a wrong key", client(&url, "re_wrong").emails.send(mail("wrong")).await, "API key is invalid");
}
