/** `sendonce check-code`: calls of Resend and Brevo as each language writes them, and what becomes of each here. */

import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createJudge } from '../src/command/check-code/judge.ts';
import { readKnownCalls } from '../src/command/check-code/known-calls.ts';
import { run } from './support/program.ts';
import { createTemp } from './support/temp.ts';

const judge = createJudge(readKnownCalls());
const seenIn = (extension: string, text: string) =>
  judge(text, extension).map(({ line, call, verdict }) => `${line} ${call} ${verdict.is}`);

/** A folder with these files. */
function codeBase(t: TestContext, files: Record<string, string>): string {
  const temp = createTemp();
  t.after(() => temp.remove());
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(temp.path(name)), { recursive: true });
    writeFileSync(temp.path(name), text);
  }
  return temp.path('.');
}

const written: [language: string, extension: string, text: string, seen: string[]][] = [
  [
    'TypeScript',
    '.ts',
    `import { Resend } from 'resend';
const resend = new Resend(process.env.KEY);
await resend.emails.send({ to: 'a@b.c' });
await resend!.emails
  .receiving
  .get('id');
// resend.logs.list()
await this.#resend.batch.send([]);
await fetch('https://api.resend.com/usage');
await fetch(\`https://api.resend.com/emails/\${id}/cancel\`, { method: 'POST' });`,
    [
      '3 emails.send works',
      '6 emails.receiving.get works',
      '8 batch.send works, but',
      '9 ? /usage not here',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: as it stands in the code
      '10 POST /emails/${id}/cancel works',
    ],
  ],
  [
    'Python',
    '.py',
    `import resend, requests
resend.Emails.send({"to": "a"})  # resend.Logs.list()
resend.ApiKeys.create({})
requests.post("https://api.brevo.com/v3/smtp/email", json={})
requests.get("https://api.resend.com/logs")`,
    ['2 emails.send works', '3 apiKeys.create works', '4 POST /v3/smtp/email works', '5 GET /logs works, but'],
  ],
  [
    'Python, Brevo',
    '.py',
    `import sib_api_v3_sdk
api_instance = sib_api_v3_sdk.TransactionalEmailsApi(client)
api_instance.send_transac_email(mail)
api_instance.get_blocked_domains()
campaigns = sib_api_v3_sdk.EmailCampaignsApi(client)`,
    [
      '3 transactionalEmails.sendTransacEmail works',
      '4 transactionalEmails.getBlockedDomains works',
      '5 emailCampaigns.EmailCampaignsApi not here',
    ],
  ],
  [
    'Go',
    '.go',
    `import "github.com/resend/resend-go/v3"
client := resend.NewClient(key)
sent, err := client.Emails.SendWithContext(ctx, params)
client.Domains.Remove(id)`,
    ['3 emails.send works', '4 domains.remove works'],
  ],
  [
    'PHP',
    '.php',
    `$resend = Resend::client('re_x');
$resend->emails->send(['to' => 'a']);
Resend::client($key)->logs->list();
# $resend->usage->get();
$brevo->sendTransacEmail($mail);`,
    ['2 emails.send works', '3 logs.list works, but', '5 transactionalEmails.sendTransacEmail works'],
  ],
  [
    'Ruby',
    '.rb',
    `require "resend"
Resend::Emails.send params
Resend::Contacts.create({ email: "a" })
URI("https://api.brevo.com/v3/contacts/#{id}/campaignStats")`,
    ['2 emails.send works', '3 contacts.create works', '4 ? /v3/contacts/#{id}/campaignStats not here'],
  ],
  [
    'Java',
    '.java',
    `Resend resend = new Resend("re_x");
resend.emails().send(params);
resend.domains().list();
new TransactionalEmailsApi(brevo).sendTransacEmail(mail);`,
    ['2 emails.send works', '3 domains.list works', '4 transactionalEmails.sendTransacEmail works'],
  ],
  [
    'Rust',
    '.rs',
    `use resend_rs::Resend;
let resend = Resend::new("re_x");
resend.emails.send(email).await?;
resend.domains.add(options).await?;
resend
    .api_keys
    .delete(&id)
    .await?;`,
    ['3 emails.send works', '4 domains.create works', '7 apiKeys.remove works'],
  ],
  [
    'C#',
    '.cs',
    `private readonly IResend _resend;
await _resend.EmailSendAsync(message);
await _resend.EmailRetrieveAsync(id);
await apiInstance.SendTransacEmailAsync(mail); // Brevo`,
    ['2 emails.send works', '3 emails.get works', '4 transactionalEmails.sendTransacEmail works'],
  ],
];

describe('what is seen of code', () => {
  for (const [language, extension, text, seen] of written) {
    it(`${language}: calls and addresses, with the line`, () => assert.deepEqual(seenIn(extension, text), seen));
  }

  it('leaves alone what another service is asked, and says where it cannot tell', () => {
    assert.deepEqual(seenIn('.ts', 'hubspot.contacts.list(); stripe.events.list();'), []);
    const beside = `import 'resend';\nconst stripe = new Stripe();\nstripe.events.list();\nfetch('https://api.resend.com');`;
    assert.deepEqual(seenIn('.ts', beside), ['3 events.list unclear', '4 https://api.resend.com unclear']);
    assert.deepEqual(seenIn('.ts', 'resend.emails.fly()'), ['1 emails.fly unclear']);
  });

  it('knows every call that the page lists, each as it is there', () => {
    for (const { call, verdict, facade } of readKnownCalls().filter((one) => !one.call.endsWith('*'))) {
      assert.deepEqual(seenIn('.ts', `${facade}.${call}()`), [`1 ${call} ${verdict.is}`]);
    }
  });

  it('costs as much as there is to read, whatever stands there', () => {
    const timeOf = (text: string) => {
      const start = process.cpuUsage();
      judge(`resend ${text}`, '.ts');
      return process.cpuUsage(start).user;
    };
    for (const piece of ['a.', '/*', '//', 'resend.emails.send', '( ', 'https://api.resend.com/', ' \n', 'x=']) {
      const small = timeOf(piece.repeat(20_000));
      const large = timeOf(piece.repeat(80_000));
      assert.ok(large < 10 * small + 200_000, `${piece}: ${small} µs, ${large} µs`);
    }
  });
});

describe('sendonce check-code', () => {
  const env = { PATH: process.env.PATH ?? '' };

  it('ends with 1 where something is not here, having read what people wrote', async (t) => {
    const folder = codeBase(t, {
      'src/mail.ts': `import { Resend } from 'resend';\nresend.emails.send();\nresend.automations.list();`,
      'node_modules/resend/index.js': 'resend.usage.get()',
      '.git/hook.js': 'resend.usage.get()',
      'image.js': 'resend.usage.get()\0',
      'bundle.js': `resend.usage.get()${' '.repeat(1024 * 1024)}`,
      'notes.md': 'resend.usage.get()',
    });
    symlinkSync(folder, `${folder}/round`);
    const { code, out, err } = await run(env, 'check-code', folder);
    assert.equal(code, 1, err);
    assert.match(out, /src\/mail\.ts:2 +works +emails\.send\n/);
    assert.match(out, /src\/mail\.ts:3 +not here +automations\.list +workflows are their product, not sending\n/);
    assert.match(out, /\n2 calls in 1 files: 1 work, 0 work but differ, 1 are not here\.\nNot read, .*bundle\.js\n$/);
  });

  it('ends with 0 where all of it works, and with 2 without a path', async (t) => {
    const folder = codeBase(t, { 'mail.py': 'import resend\nresend.Emails.send({})' });
    assert.equal((await run(env, 'check-code', folder)).code, 0);
    assert.equal((await run(env, 'check-code')).code, 2);
    assert.match((await run(env, 'check-code', `${folder}/nowhere`)).err, /^There is nothing at /);
  });
});
