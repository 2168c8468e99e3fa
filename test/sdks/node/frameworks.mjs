// What frameworks and transports of nodemailer send by themselves: FRAMEWORK names the one.
import { attempt, key, label, lossy, refused, url } from './calls.mjs';

const from = 'Acme <onboarding@resend.dev>';
const to = 'ann@example.org';
const named = (subject) => `once: ${label} ${subject}`;
const files = [{ filename: 'a.txt', content: Buffer.from('hello') }];

// The addresses of Auth.js's provider and Payload's adapter are constants.
function led(base) {
  const { fetch } = globalThis;
  globalThis.fetch = (target, options) => fetch(String(target).replace('https://api.resend.com', base), options);
}

async function betterAuth() {
  const { betterAuth } = await import('better-auth');
  const { memoryAdapter } = await import('better-auth/adapters/memory');
  const { Resend } = await import('resend');
  let base = url;
  let answers = [];
  const send = async ({ user, url: link }) => {
    const resend = new Resend(key, { baseUrl: base });
    const mail = { from, to: user.email, subject: named(`verify ${user.name}`), html: `<a href="${link}">Verify</a>` };
    const once = () => resend.emails.send(mail, { idempotencyKey: `${label}/verify/${user.id}` });
    answers = [await once()];
    if (answers[0].error) answers.push(await once());
  };
  const auth = betterAuth({
    baseURL: 'http://127.0.0.1',
    secret: 'K7f2mQ9xL4vT8nR1cW6zB3hY5jD0pSgE',
    database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
    emailAndPassword: { enabled: true, requireEmailVerification: true },
    emailVerification: { sendOnSignUp: true, sendVerificationEmail: send },
  });
  const signUp = (name) =>
    auth.api.signUpEmail({ body: { email: `${name}@example.org`, password: 'correct horse 1', name } });
  await attempt('send', async () => Boolean((await signUp('ann')).user.id) && Boolean(answers[0].data.id));
  base = lossy;
  await attempt('lost answer', async () => {
    await signUp('bob');
    return answers.length === 2 && answers[0].error !== null && Boolean(answers[1].data.id);
  });
}

async function authJs() {
  const { default: provide } = await import('@auth/core/providers/resend');
  led(url);
  const provider = provide({ apiKey: key, from });
  const verify = (identifier, options = provider.options) =>
    provider.sendVerificationRequest({
      identifier,
      provider: options,
      url: 'https://once.example.com/callback?token=1',
      theme: {},
    });
  await attempt('send', async () => (await verify(to)) === undefined);
  await refused('a bad address', () => verify('nobody'), 'validation_error');
  await refused('a wrong key', () => verify(to, { ...provider.options, apiKey: 're_wrong' }), 'API key is invalid');
}

async function payload() {
  const { resendAdapter } = await import('@payloadcms/email-resend');
  led(url);
  const adapt = (apiKey) =>
    resendAdapter({ apiKey, defaultFromAddress: 'hello@example.com', defaultFromName: 'Acme' })();
  const send = (mail, apiKey = key) => adapt(apiKey).sendEmail({ to, html: '<p>Hi</p>', ...mail });
  await attempt('send', async () => (await send({ subject: named('send') })).id.length === 36);
  await attempt('a file', async () => Boolean((await send({ subject: named('file'), attachments: files })).id));
  await refused('a bad address', () => send({ subject: 'bad', to: 'nobody' }), 'validation_error');
  await refused('a wrong key', () => send({ subject: 'wrong' }, 're_wrong'), 'API key is invalid');
}

async function nodemailerTo(transportOf) {
  const { createTransport } = await import('nodemailer');
  const send = (mail, way = transportOf(key)) =>
    createTransport(way).sendMail({ from, to, text: 'Hi', html: '<p>Hi</p>', ...mail });
  await attempt('send', async () => {
    const { id, messageId } = await send({ subject: named('send'), headers: { 'X-Order': '7' } });
    return Boolean(id ?? messageId);
  });
  await attempt('a file', async () => Boolean(await send({ subject: named('file'), attachments: files })));
  await refused('a bad address', () => send({ subject: 'bad', to: 'nobody@' }), '');
  await refused('a wrong key', () => send({ subject: 'wrong' }, transportOf('wrong')), '');
}

async function resendTransport() {
  process.env.RESEND_BASE_URL = url;
  const { ResendTransport } = await import('@documenso/nodemailer-resend');
  await nodemailerTo((apiKey) => ResendTransport.makeTransport({ apiKey }));
}

async function brevoTransport() {
  const { default: Transport } = await import('nodemailer-brevo-transport');
  const { request } = await import('node:http');
  await nodemailerTo((apiKey) =>
    Object.assign(new Transport({ apiKey }), { apiURL: new URL(`${url}/v3/smtp/email`), request }),
  );
}

await { betterAuth, authJs, payload, resendTransport, brevoTransport }[process.env.FRAMEWORK]();
