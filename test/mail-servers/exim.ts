/** Debian's Exim, unpacked beside what is installed. */

import { writeFileSync } from 'node:fs';
import { type Running, startPackage } from './debian.ts';
import { type Asked, type Back, backDomain } from './server.ts';

export function startExim(asked: Asked): Promise<Running | null> {
  const { folder, port } = asked;
  writeFileSync(`${folder}/exim.conf`, configOf(asked), { mode: 0o644 });
  const own = {
    packages: ['exim4-daemon-light', 'exim4-base'],
    users: ['Debian-exim:/var/spool/exim4'],
    prepare: [
      'mkdir -p /etc/exim4 /var/spool/exim4 /var/log/exim4',
      'chown Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4',
      `cp ${folder}/exim.conf /etc/exim4/exim4.conf`,
      'chmod 644 /etc/exim4/exim4.conf',
    ].join('\n'),
    command: ['/usr/sbin/exim4', '-bdf', '-q3s'],
  };
  return startPackage(own, folder, port);
}

function configOf({ port, back, onward }: Asked): string {
  return `
primary_hostname = relay.example
daemon_smtp_ports = ${port}
local_interfaces = 127.0.0.1
qualify_domain = relay.example
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
tls_advertise_hosts =
dsn_advertise_hosts = *
smtputf8_advertise_hosts =
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
host_lookup =
rfc1413_query_timeout = 0s
delay_warning = 1s:24h
message_size_limit = 50M
smtp_accept_max = 100
queue_run_max = 2
keep_environment =
begin acl
acl_rcpt:
  accept
acl_data:
  accept
begin routers
${backRouter(back)}
unknown:
  driver = redirect
  domains = test.example
  local_parts = unknown
  allow_fail
  data = :fail: 550 5.1.1 There is no such user
full:
  driver = redirect
  domains = test.example
  local_parts = full
  allow_fail
  data = :fail: 552 5.2.2 The mailbox is full
slow:
  driver = redirect
  domains = test.example
  local_parts = slow
  allow_defer
  data = :defer: no answer from the host
forwarded:
  driver = redirect
  domains = test.example
  local_parts = forwarded
  data = unknown@test.example
fine:
  driver = accept
  domains = test.example
  local_parts = fine
  transport = discard
${onward === null ? '' : onwardRouter}
begin transports
discard:
  driver = appendfile
  file = /dev/null
  user = nobody
${transportOf(back)}
onward:
  driver = smtp
  port = ${onward ?? 25}
  hosts_avoid_tls = *
begin retry
* * F,2h,2s
begin rewrite
begin authenticators
`;
}

function backRouter({ kind }: Back): string {
  const by = kind === 'smtp' ? 'manualroute\n  route_list = * 127.0.0.1\n  self = send' : 'accept';
  return `back:\n  domains = ${backDomain}\n  driver = ${by}\n  transport = back`;
}

const onwardRouter = `
onward:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = onward
`;

function transportOf(back: Back): string {
  if (back.kind === 'smtp') return `back:\n  driver = smtp\n  port = ${back.port}\n  hosts_avoid_tls = *`;
  return `back:\n  driver = pipe\n  command = ${back.program}\n  envelope_to_add\n  user = nobody\n  temp_errors = *`;
}
