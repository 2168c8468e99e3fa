/** Code to paste, for every language whose SDK has idempotency keys: each is told the base URL in its own way (docs/resend.md, docs/brevo.md). */

export type Snippet = {
  name: string;
  /** How the SDK is told where to send, and what to mind. */
  note: string;
  code: (baseUrl: string) => string;
};

const environment = (name: string, url: string) => `export ${name}=${url}\nexport RESEND_API_KEY=re_…\n`;

export const snippets: Record<string, Snippet> = {
  node: {
    name: 'Node.js',
    note: 'The base URL must not end in a slash. RESEND_BASE_URL works, too.',
    code: (url) => `import { Resend } from 'resend';

const resend = new Resend(process.env.RESEND_API_KEY, { baseUrl: '${url}' });

const { data, error } = await resend.emails.send(
  {
    from: 'Acme <onboarding@resend.dev>',
    to: ['foo@gmail.com'],
    subject: 'hello world',
    html: '<h1>it works!</h1>',
  },
  { idempotencyKey: 'welcome-user/123456789' },
);
console.log(data, error);`,
  },
  php: {
    name: 'PHP',
    note: 'The base URL comes from the environment. Write http:// out: without a scheme, https is meant.',
    code: (url) => `<?php
// ${environment('RESEND_BASE_URL', url).trimEnd().replace('\n', '\n// ')}

$resend = Resend::client(getenv('RESEND_API_KEY'));

$email = $resend->emails->send(
  [
    'from' => 'Acme <onboarding@resend.dev>',
    'to' => ['foo@gmail.com'],
    'subject' => 'hello world',
    'html' => '<h1>it works!</h1>',
  ],
  [
    'idempotency_key' => 'welcome-user/123456789',
  ]
);
echo $email->id;`,
  },
  python: {
    name: 'Python',
    note: 'RESEND_API_URL in the environment works, too.',
    code: (url) => `import os
import resend

resend.api_key = os.environ["RESEND_API_KEY"]
resend.api_url = "${url}"

params: resend.Emails.SendParams = {
    "from": "Acme <onboarding@resend.dev>",
    "to": ["foo@gmail.com"],
    "subject": "hello world",
    "html": "<h1>it works!</h1>",
}
options: resend.Emails.SendOptions = {
    "idempotency_key": "welcome-user/123456789",
}
print(resend.Emails.send(params, options))`,
  },
  ruby: {
    name: 'Ruby',
    note: 'The base URL is read when the gem is loaded, and must end in a slash.',
    code: (url) => `ENV["RESEND_BASE_URL"] = "${url}/"
require "resend"

Resend.api_key = ENV["RESEND_API_KEY"]

params = {
  "from": "Acme <onboarding@resend.dev>",
  "to": ["foo@gmail.com"],
  "subject": "hello world",
  "html": "<h1>it works!</h1>"
}

puts Resend::Emails.send(
  params,
  options: { idempotency_key: "welcome-user/123456789" }
)`,
  },
  go: {
    name: 'Go',
    note: 'RESEND_BASE_URL is read at start; client.BaseURL can be set instead.',
    code: (url) => `// ${environment('RESEND_BASE_URL', url).trimEnd().replace('\n', '\n// ')}
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/resend/resend-go/v3"
)

func main() {
	client := resend.NewClient(os.Getenv("RESEND_API_KEY"))

	params := &resend.SendEmailRequest{
		From:    "Acme <onboarding@resend.dev>",
		To:      []string{"foo@gmail.com"},
		Subject: "hello world",
		Html:    "<h1>it works!</h1>",
	}
	options := &resend.SendEmailOptions{
		IdempotencyKey: "welcome-user/123456789",
	}

	sent, err := client.Emails.SendWithOptions(context.TODO(), params, options)
	if err != nil {
		panic(err)
	}
	fmt.Println(sent.Id)
}`,
  },
  rust: {
    name: 'Rust',
    note: 'A path in the base URL is dropped. ConfigBuilder::base_url works, too.',
    code: (url) => `// ${environment('RESEND_BASE_URL', url).trimEnd().replace('\n', '\n// ')}
use resend_rs::types::CreateEmailBaseOptions;
use resend_rs::{Resend, Result};

#[tokio::main]
async fn main() -> Result<()> {
  let resend = Resend::default();

  let email = CreateEmailBaseOptions::new(
    "Acme <onboarding@resend.dev>",
    ["foo@gmail.com"],
    "hello world",
  )
  .with_html("<h1>it works!</h1>")
  .with_idempotency_key("welcome-user/123456789");

  println!("{:?}", resend.emails.send(email).await?);
  Ok(())
}`,
  },
  dotnet: {
    name: '.NET',
    note: 'ApiUrl is the base URL.',
    code: (url) => `using Resend;

IResend resend = ResendClient.Create( new ResendClientOptions()
{
    ApiToken = Environment.GetEnvironmentVariable( "RESEND_API_KEY" )!,
    ApiUrl = "${url}",
} );

var key = IdempotencyKey.New<int>( "welcome-user", 123456789 );

var resp = await resend.EmailSendAsync( key, new EmailMessage()
{
    From = "Acme <onboarding@resend.dev>",
    To = "foo@gmail.com",
    Subject = "hello world",
    HtmlBody = "<p>it works!</p>",
} );
Console.WriteLine( "Email Id={0}", resp.Content );`,
  },
  java: {
    name: 'Java',
    note: 'Resend’s Java SDK cannot be pointed here: its address is a constant in the library. Java’s own HTTP client can.',
    code: (url) => `import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

public class Main {
  public static void main(String[] args) throws Exception {
    var body = """
        {
          "from": "Acme <onboarding@resend.dev>",
          "to": ["foo@gmail.com"],
          "subject": "hello world",
          "html": "<h1>it works!</h1>"
        }""";
    var request = HttpRequest.newBuilder(URI.create("${url}/emails"))
        .header("Authorization", "Bearer " + System.getenv("RESEND_API_KEY"))
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", "welcome-user/123456789")
        .POST(HttpRequest.BodyPublishers.ofString(body))
        .build();
    var answer = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
    System.out.println(answer.body());
  }
}`,
  },
  curl: {
    name: 'cURL',
    note: 'Run it twice: the same id, one mail.',
    code: (url) => `curl -X POST '${url}/emails' \\
  -H "Authorization: Bearer $RESEND_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -H 'Idempotency-Key: welcome-user/123456789' \\
  -d '{
    "from": "Acme <onboarding@resend.dev>",
    "to": ["foo@gmail.com"],
    "subject": "hello world",
    "html": "<h1>it works!</h1>"
  }'`,
  },
  brevo: {
    name: 'Brevo, Node.js',
    note: 'Brevo’s base URL ends in /v3. A key is any text of up to 256 characters and lives 30 minutes; a reuse is refused.',
    code: (url) => `import { BrevoClient } from '@getbrevo/brevo';

const brevo = new BrevoClient({ apiKey: process.env.BREVO_API_KEY, baseUrl: '${url}/v3' });

const { messageId } = await brevo.transactionalEmails.sendTransacEmail({
  sender: { name: 'Acme', email: 'hello@example.com' },
  to: [{ email: 'foo@example.com' }],
  subject: 'hello {{ params.name }}',
  htmlContent: '<p>it works, {{ params.name }}!</p>',
  params: { name: 'Ann' },
  headers: { idempotencyKey: 'b52dbf81-dd4a-4a08-b807-085c7f3d1a20' },
});
console.log(messageId);`,
  },
  'brevo-curl': {
    name: 'Brevo, cURL',
    note: 'Other SDKs: Python base_url, PHP setHost, Go BasePath, Ruby host and base_path, Java setBasePath, C# BasePath.',
    code: (url) => `curl -X POST '${url}/v3/smtp/email' \\
  -H "api-key: $BREVO_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '{
    "sender": { "name": "Acme", "email": "hello@example.com" },
    "to": [{ "email": "foo@example.com" }],
    "subject": "hello world",
    "htmlContent": "<p>it works!</p>",
    "headers": { "idempotencyKey": "b52dbf81-dd4a-4a08-b807-085c7f3d1a20" }
  }'`,
  },
};
