/** Which SDKs are run: how each is installed into a folder of its own, and how its script is started. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const scripts = fileURLToPath(new URL('../../../test/sdks/', import.meta.url));

export type Command = { command: string; arguments: string[]; environment?: Record<string, string> };

export type Sdk = {
  /** Package and version, as its registry has them. */
  name: string;
  /** Frameworks send, and look at little of what they are answered: they are left out of the control. */
  vendor: 'Resend' | 'Brevo' | 'Frameworks';
  run: (folder: string) => Command;
  /** Key and certificate of the address it cannot be talked out of; absent: it takes another one. */
  proxied?: (folder: string) => string;
};

export type Language = {
  name: string;
  /** A command that is there where its toolchain is. */
  needs: string;
  /** One after the other, in the folder. */
  install: (folder: string, newest: boolean) => Command[];
  sdks: Sdk[];
};

const python: Language = {
  name: 'Python',
  needs: 'python3',
  install: (folder, newest) => [
    ...venv(join(folder, 'now'), ['resend==2.52.0', 'brevo-python==5.1.0', 'sib-api-v3-sdk==7.6.0'], newest),
    // The same name, and another API.
    ...venv(join(folder, 'before'), ['brevo-python==1.2.0'], false),
    ...venv(join(folder, 'django'), ['django-anymail==15.1'], newest),
  ],
  sdks: [
    pythonSdk('resend 2.52.0', 'Resend', 'now', 'resend_calls.py'),
    pythonSdk('brevo-python 5.1.0', 'Brevo', 'now', 'brevo_calls.py'),
    pythonSdk('sib-api-v3-sdk 7.6.0', 'Brevo', 'now', 'sib_calls.py', { MODULE: 'sib_api_v3_sdk' }),
    pythonSdk('brevo-python 1.2.0', 'Brevo', 'before', 'sib_calls.py', { MODULE: 'brevo_python' }),
    pythonSdk('Django, anymail 15.1 to Resend', 'Frameworks', 'django', 'anymail_calls.py', { VENDOR: 'Resend' }),
    pythonSdk('Django, anymail 15.1 to Brevo', 'Frameworks', 'django', 'anymail_calls.py', { VENDOR: 'Brevo' }),
  ],
};

function venv(folder: string, packages: string[], newest: boolean): Command[] {
  const wanted = newest ? packages.map((one) => one.replace(/==.*/, '')) : packages;
  return [
    { command: 'python3', arguments: ['-m', 'venv', folder] },
    { command: join(folder, 'bin/pip'), arguments: ['install', '-q', ...(newest ? ['-U'] : []), ...wanted] },
  ];
}

function pythonSdk(
  name: string,
  vendor: Sdk['vendor'],
  venvName: string,
  script: string,
  environment: Record<string, string> = {},
): Sdk {
  const path = join(scripts, 'python', script);
  const run = (folder: string) => ({
    command: join(folder, venvName, 'bin/python'),
    arguments: [path],
    environment: { PYTHONDONTWRITEBYTECODE: '1', ...environment },
  });
  return { name, vendor, run };
}

const go: Language = {
  name: 'Go',
  needs: 'go',
  install: (folder, newest) => [
    { command: 'cp', arguments: ['-r', `${join(scripts, 'go')}/.`, folder] },
    ...(newest
      ? [{ command: 'go', arguments: ['-C', folder, 'get', '-u', 'github.com/resend/resend-go/v3@latest'] }]
      : []),
    { command: 'go', arguments: ['-C', folder, 'build', '-o', 'calls', '.'] },
  ],
  sdks: [
    {
      name: 'resend-go v3.1.1',
      vendor: 'Resend',
      run: (folder) => ({ command: join(folder, 'calls'), arguments: [] }),
    },
  ],
};

const nodePackages = {
  resend: 'resend@6.38.0',
  'brevo-6': 'brevo-6@npm:@getbrevo/brevo@6.0.3',
  'brevo-3': 'brevo-3@npm:@getbrevo/brevo@3.0.4',
  'brevo-2': 'brevo-2@npm:@getbrevo/brevo@2.5.0',
  sib: 'sib-api-v3-sdk@8.5.0',
  betterAuth: 'better-auth@1.7.25',
  authJs: '@auth/core@0.41.3',
  payload: '@payloadcms/email-resend@3.90.1',
  nodemailer: 'nodemailer@9.1.1',
  resendTransport: '@documenso/nodemailer-resend@5.0.0',
  brevoTransport: 'nodemailer-brevo-transport@2.2.1',
};

const node: Language = {
  name: 'Node',
  needs: 'node',
  install: (folder, newest) => [
    { command: 'cp', arguments: ['-r', `${join(scripts, 'node')}/.`, folder] },
    {
      command: 'npm',
      arguments: ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, ...nodeWanted(newest)],
    },
  ],
  sdks: [
    nodeSdk('resend 6.38.0', 'Resend', 'resend.mjs'),
    nodeSdk('@getbrevo/brevo 6.0.3', 'Brevo', 'brevo-6.mjs'),
    nodeSdk('@getbrevo/brevo 3.0.4', 'Brevo', 'brevo-2.mjs', { PACKAGE: 'brevo-3' }),
    nodeSdk('@getbrevo/brevo 2.5.0', 'Brevo', 'brevo-2.mjs', { PACKAGE: 'brevo-2' }),
    nodeSdk('sib-api-v3-sdk 8.5.0', 'Brevo', 'sib.mjs'),
    framework('better-auth 1.7.25', 'betterAuth'),
    framework('Auth.js 0.41.3', 'authJs'),
    framework('Payload 3.90.1', 'payload'),
    framework('nodemailer, @documenso/nodemailer-resend 5.0.0', 'resendTransport'),
    framework('nodemailer, nodemailer-brevo-transport 2.2.1', 'brevoTransport'),
  ],
};

function nodeWanted(newest: boolean): string[] {
  if (!newest) return Object.values(nodePackages);
  return Object.values(nodePackages).map((one) =>
    one.startsWith('resend') || one.startsWith('brevo-6') ? one.replace(/@[\d.]+$/, '@latest') : one,
  );
}

function nodeSdk(name: string, vendor: Sdk['vendor'], script: string, environment: Record<string, string> = {}): Sdk {
  return { name, vendor, run: (folder) => ({ command: 'node', arguments: [join(folder, script)], environment }) };
}

function framework(name: string, word: string): Sdk {
  return nodeSdk(name, 'Frameworks', 'frameworks.mjs', { FRAMEWORK: word });
}

const rust: Language = {
  name: 'Rust',
  needs: 'cargo',
  install: (folder, newest) => [
    { command: 'cp', arguments: ['-r', `${join(scripts, 'rust')}/.`, folder] },
    ...(newest
      ? [{ command: 'cargo', arguments: ['add', '-q', '--manifest-path', `${folder}/Cargo.toml`, 'resend-rs@*'] }]
      : []),
    {
      command: 'cargo',
      arguments: ['build', '-q', '--manifest-path', `${folder}/Cargo.toml`],
      environment: { CARGO_PROFILE_DEV_DEBUG: '0', CARGO_TARGET_DIR: join(folder, 'target') },
    },
  ],
  sdks: [
    {
      name: 'resend-rs 0.35.1',
      vendor: 'Resend',
      run: (folder) => ({
        command: join(folder, 'target/debug/calls'),
        arguments: [],
        // By itself it lets one request through each second.
        environment: { RESEND_RATE_LIMIT: '1000' },
      }),
    },
  ],
};

const java: Language = {
  name: 'Java',
  needs: 'mvn',
  install: (folder) => [
    { command: 'cp', arguments: ['-r', `${join(scripts, 'java')}/.`, folder] },
    { command: 'sh', arguments: ['-c', `cd '${folder}' && ./install.sh`] },
  ],
  sdks: [
    { ...javaSdk('resend-java 4.23.0', 'Resend', 'ResendCalls'), proxied: storeIn },
    javaSdk('brevo 1.1.1', 'Brevo', 'BrevoCalls'),
    javaSdk('sib-api-v3-sdk 7.0.0', 'Brevo', 'SibCalls'),
  ],
};

function storeIn(folder: string): string {
  return join(folder, 'store.p12');
}

function javaSdk(name: string, vendor: Sdk['vendor'], main: string): Sdk {
  const start = 'exec java $PROXY_FLAGS -cp "$(cat classpath):." ';
  const run = (folder: string) => ({ command: 'sh', arguments: ['-c', `cd '${folder}' && ${start}${main}`] });
  return { name, vendor, run };
}

export const languages: readonly Language[] = [node, python, go, rust, java];
