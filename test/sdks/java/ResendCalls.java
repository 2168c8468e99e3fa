import com.resend.Resend;
import com.resend.core.net.RequestOptions;
import com.resend.services.apikeys.model.CreateApiKeyOptions;
import com.resend.services.domains.model.CreateDomainOptions;
import com.resend.services.emails.model.Attachment;
import com.resend.services.emails.model.CreateEmailOptions;
import com.resend.services.emails.model.UpdateEmailOptions;
import com.resend.services.webhooks.model.VerifyWebhookOptions;
import java.util.List;

/** Resend's SDK for Java, whose address is a constant: a proxy leads it here. */
class ResendCalls extends Calls {
  static final Resend resend = new Resend(key);

  static CreateEmailOptions.Builder mail(String subject) {
    return CreateEmailOptions.builder().from("Acme <onboarding@resend.dev>").to("foo@gmail.com")
        .subject("once: " + label + " " + subject).html("<p>Hi</p>");
  }

  static RequestOptions keyed(String name) {
    return RequestOptions.builder().setIdempotencyKey(label + "/" + name).build();
  }

  static String send(String subject, String name) throws Exception {
    return resend.emails().send(mail(subject).build(), keyed(name)).getId();
  }

  public static void main(String[] arguments) throws Exception {
    attempt("send", () -> resend.emails().send(mail("send").build()).getId().length() == 36);
    String first = send("key", "key");
    attempt("send with a key", () -> first.length() == 36);
    attempt("replay", () -> send("key", "key").equals(first));
    refused("conflict", () -> send("other", "key"), "request body was modified");
    attempt("lost answer", () -> fails(() -> send("lost", "lost")) && send("lost", "lost").length() == 36);
    attempt("batch", () -> resend.batch().send(List.of(mail("batch 1").build(), mail("batch 2").build())).getData().size() == 2);
    attempt("batch with a key", () -> batchId().equals(batchId()));
    CreateEmailOptions bad = CreateEmailOptions.builder().from("Acme <onboarding@resend.dev>").to("nobody").subject("x").html("x").build();
    RequestOptions permissive = RequestOptions.builder().add("x-batch-validation", "permissive").build();
    attempt("batch, permissive", () -> resend.batch().send(List.of(mail("permissive").build(), bad), permissive).getErrors().size() == 1);
    attempt("attachment, inline image", () -> resend.emails().send(mail("files").attachments(
        Attachment.builder().fileName("a.txt").content("aGVsbG8=").build(),
        Attachment.builder().fileName("logo.png").content("cG5n").contentId("logo").build()).build()).getId().length() == 36);
    String later = resend.emails().send(mail("later").scheduledAt("in 1 hour").build()).getId();
    attempt("schedule", () -> later.length() == 36);
    attempt("reschedule", () -> resend.emails().update(later, UpdateEmailOptions.builder().scheduledAt("in 2 hours").build()).getId().equals(later));
    attempt("cancel", () -> resend.emails().cancel(later).getId().equals(later));
    attempt("get", () -> resend.emails().get(first).getId().equals(first));
    attempt("list", () -> resend.emails().list().getData().size() > 5);
    for (String one : System.getenv("FIXTURES").split(",")) {
      String[] parts = one.split("=");
      attempt("read a " + parts[0] + " email", () -> resend.emails().get(parts[1]).getId().equals(parts[1]));
    }
    attempt("verify a webhook", () -> verify(System.getenv("HOOK_BODY")));
    refused("a webhook that was changed", () -> verify(System.getenv("HOOK_BODY") + " "), "");
    refused("a bad address", () -> resend.emails().send(bad), "email@example.com");
    String domain = resend.domains().create(CreateDomainOptions.builder().name(label.replace(' ', '-').toLowerCase() + ".example.com").build()).getId();
    attempt("create a domain", () -> !domain.isEmpty());
    attempt("get, verify, list, remove domains", () -> resend.domains().get(domain).getId().equals(domain)
        && resend.domains().verify(domain) != null && !resend.domains().list().getData().isEmpty()
        && resend.domains().remove(domain).isDeleted());
    String made = resend.apiKeys().create(CreateApiKeyOptions.builder().name(label).permission("sending_access").build()).getId();
    attempt("create an API key", () -> !made.isEmpty());
    attempt("list, remove API keys", () -> !resend.apiKeys().list().getData().isEmpty() && resend.apiKeys().remove(made));
    refused("a wrong key", () -> new Resend("re_wrong").emails().send(mail("wrong").build()), "API key is invalid");
    // OkHttp's threads would keep it waiting.
    System.exit(0);
  }

  static boolean verify(String body) throws Exception {
    resend.webhooks().verify(VerifyWebhookOptions.builder().payload(body).secret(System.getenv("HOOK_SECRET"))
        .addHeader("svix-id", System.getenv("HOOK_ID")).addHeader("svix-timestamp", System.getenv("HOOK_TIMESTAMP"))
        .addHeader("svix-signature", System.getenv("HOOK_SIGNATURE")).build());
    return true;
  }

  static String batchId() throws Exception {
    return resend.batch().send(List.of(mail("keyed batch").build()), keyed("batch")).getData().get(0).getId();
  }
}
