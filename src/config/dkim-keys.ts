/** Reads `DKIM_KEYS`, and the key files it names: a server that cannot sign must not find out at its first mail. */

import { readFileSync } from 'node:fs';
import { createDkimSigner, type DkimKey } from '../core/dkim.ts';

/** `problems` are sentences to be read after the setting's name. They quote neither what was written, which may be a key, nor a file. */
export type DkimKeys = { keys: DkimKey[]; problems: string[] };

/** Of each part, `domain:selector:/path/to/key.pem`. */
export function readDkimKeys(parts: readonly string[]): DkimKeys {
  const keys: DkimKey[] = [];
  const problems: string[] = [];
  for (const [index, part] of parts.entries()) {
    const [name, selector, ...file] = part.split(':');
    const keyFile = file.join(':');
    const domain = name?.toLowerCase();
    if (!domain || !selector || !keyFile || keyFile.includes('PRIVATE KEY')) {
      problems.push(`must be domain:selector:/path/to/key.pem, comma-separated; number ${index + 1} is not.`);
    } else if (keys.some((key) => key.domain === domain && key.selector === selector)) {
      problems.push(`has selector ${selector} of ${domain} twice: leave one of them out.`);
    } else {
      const key = readKey(domain, selector, keyFile);
      if (typeof key === 'string') problems.push(key);
      else keys.push(key);
    }
  }
  return { keys, problems };
}

function readKey(domain: string, selector: string, keyFile: string): DkimKey | string {
  const which = `the key of ${domain} with selector ${selector}`;
  let privateKeyPem: string;
  try {
    privateKeyPem = readFileSync(keyFile, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return `names a file for ${which} that cannot be read (${code}): check its path, and that this user may read it.`;
  }
  const key = { domain, selector, privateKeyPem };
  try {
    createDkimSigner(key);
    return key;
  } catch (error) {
    const why = (error as Error).message;
    return `names a file for ${which} that cannot be used (${why}): it must hold a private key in PEM, RSA of 1024 bits or more, or Ed25519.`;
  }
}
