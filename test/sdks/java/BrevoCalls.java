import brevo.ApiClient;
import brevo.auth.ApiKeyAuth;
import brevoApi.AccountApi;
import brevoApi.ContactsApi;
import brevoApi.SendersApi;
import brevoApi.TransactionalEmailsApi;
import brevoModel.CreateContact;
import brevoModel.SendSmtpEmail;
import brevoModel.SendSmtpEmailAttachment;
import brevoModel.SendSmtpEmailSender;
import brevoModel.SendSmtpEmailTo;
import java.util.Map;
import java.util.UUID;

/** Brevo's SDK for Java. */
class BrevoCalls extends Calls {
  static ApiClient client(String base, String token) {
    ApiClient client = new ApiClient();
    client.setBasePath(base + "/v3");
    ((ApiKeyAuth) client.getAuthentication("api-key")).setApiKey(token);
    return client;
  }

  static SendSmtpEmail mail(String subject) {
    return new SendSmtpEmail().sender(new SendSmtpEmailSender().name("Acme").email("hello@example.com"))
        .addToItem(new SendSmtpEmailTo().email("ann@example.org")).subject("once: " + label + " " + subject)
        .htmlContent("<p>Hi {{params.name}}</p>").params(Map.of("name", "Ann"));
  }

  static String send(TransactionalEmailsApi api, SendSmtpEmail mail) throws Exception {
    return api.sendTransacEmail(mail).getMessageId();
  }

  public static void main(String[] arguments) throws Exception {
    TransactionalEmailsApi emails = new TransactionalEmailsApi(client(url, key));
    TransactionalEmailsApi losing = new TransactionalEmailsApi(client(lossy, key));
    Map<String, String> once = Map.of("idempotencyKey", UUID.randomUUID().toString());
    Map<String, String> lost = Map.of("idempotencyKey", UUID.randomUUID().toString());
    attempt("send", () -> send(emails, mail("send")).startsWith("<"));
    attempt("send with a key", () -> send(emails, mail("key").headers(once)).startsWith("<"));
    refused("replay", () -> send(emails, mail("key").headers(once)), "duplicate_parameter");
    refused("conflict", () -> send(emails, mail("other").headers(once)), "duplicate_parameter");
    fails(() -> send(losing, mail("lost").headers(lost)));
    refused("lost answer", () -> send(losing, mail("lost").headers(lost)), "duplicate_parameter");
    attempt("attachment", () -> send(emails, mail("files").addAttachmentItem(
        new SendSmtpEmailAttachment().name("a.txt").content("hello".getBytes()))).startsWith("<"));
    attempt("blocked contacts", () -> emails.getTransacBlockedContacts(null, null, null, null, null, null).getCount() >= 0);
    attempt("templates", () -> emails.getSmtpTemplates(null, null, null, null).getCount() >= 1);
    attempt("senders", () -> new SendersApi(client(url, key)).getSenders(null, null) != null);
    attempt("account", () -> new AccountApi(client(url, key)).getAccount().getEmail() != null);
    attempt("contacts", () -> new ContactsApi(client(url, key)).createContact(new CreateContact().email(UUID.randomUUID() + "@example.com")).getId() > 0);
    refused("a missing field", () -> emails.sendTransacEmail(new SendSmtpEmail().subject("x")), "missing_parameter");
    refused("a wrong key", () -> new AccountApi(client(url, "wrong")).getAccount(), "unauthorized");
    System.exit(0);
  }
}
