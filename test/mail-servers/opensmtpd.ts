/** Debian's OpenSMTPD, unpacked beside what is installed. */

import { writeFileSync } from 'node:fs';
import { type Running, startPackage, writeProgram } from './debian.ts';
import { type Asked, backDomain } from './server.ts';

/** What a program that delivers says by its status (sysexits): no such user, cannot create, try again. */
const deliver = `#!/bin/sh
cat >/dev/null
case "$1" in
  unknown@*) echo "550 5.1.1 There is no such user"; exit 67 ;;
  full@*) echo "552 5.2.2 The mailbox is full"; exit 73 ;;
  slow@*) echo "no answer from the host"; exit 75 ;;
esac
`;

export function startOpensmtpd(asked: Asked): Promise<Running | null> {
  const { folder, port } = asked;
  writeProgram(`${folder}/deliver`, deliver);
  writeFileSync(`${folder}/smtpd.conf`, configOf(asked), { mode: 0o600 });
  const own = {
    packages: ['opensmtpd'],
    users: ['opensmtpd:/var/lib/opensmtpd/empty', 'opensmtpq:/var/lib/opensmtpd/empty'],
    prepare: [
      'mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty',
      'chmod 711 /var/spool/smtpd',
      `cp ${folder}/smtpd.conf /etc/smtpd.conf`,
      'chown root:root /etc/smtpd.conf; chmod 644 /etc/smtpd.conf',
      'echo nobody: nobody >/etc/aliases',
    ].join('\n'),
    command: ['/usr/sbin/smtpd', '-d', '-f', '/etc/smtpd.conf'],
  };
  return startPackage(own, folder, port);
}

function configOf({ folder, port, back, onward }: Asked): string {
  const everybody = '{ "@test.example" = nobody, "forwarded@test.example" = "unknown@test.example" }';
  const backAction =
    back.kind === 'smtp'
      ? `relay host "smtp://127.0.0.1:${back.port}"`
      : `mda "${back.program} %{rcpt}" virtual { "@${backDomain}" = nobody } user nobody`;
  return [
    'bounce warn-interval 1s',
    'smtp max-message-size 50M',
    `listen on 127.0.0.1 port ${port} hostname relay.example`,
    `action "back" ${backAction}`,
    `action "local" mda "${folder}/deliver %{dest}" virtual ${everybody} user nobody`,
    ...(onward === null ? [] : [`action "onward" relay host "smtp://127.0.0.1:${onward}"`]),
    `match from any for domain "${backDomain}" action "back"`,
    'match from any for domain "test.example" action "local"',
    ...(onward === null ? [] : ['match from any for any action "onward"']),
    '',
  ].join('\n');
}
