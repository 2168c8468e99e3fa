/** The outboxes by hand of `examples/outbox`: how each is run, and how to ask whether this machine can. */

export type OutboxProgram = {
  name: string;
  command: string;
  /** Before the file and the order. */
  words: string[];
  /** Words with which the command ends well where the language and its driver are there. */
  probe: string[];
  env: NodeJS.ProcessEnv;
  /** Compiles its driver for a minute, the first time. */
  isSlow?: boolean;
};

/** Debian's packages of Go's libraries. */
const goEnvironment = { GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '' };

export const outboxPrograms: readonly OutboxProgram[] = [
  { name: 'Node', command: process.execPath, words: ['outbox/outbox.mjs'], probe: ['--version'], env: {} },
  {
    name: 'Python',
    command: '/usr/bin/python3',
    words: ['outbox/outbox.py'],
    probe: ['-c', 'import sqlite3'],
    env: {},
  },
  { name: 'Ruby', command: 'ruby', words: ['outbox/outbox.rb'], probe: ['-rsqlite3', '-e', '0'], env: {} },
  {
    name: 'PHP',
    command: 'php',
    words: ['outbox/outbox.php'],
    probe: ['-r', 'exit(extension_loaded("pdo_sqlite") ? 0 : 1);'],
    env: {},
  },
  {
    name: 'Go',
    command: 'go',
    words: ['run', 'outbox/outbox.go'],
    probe: ['list', 'github.com/mattn/go-sqlite3'],
    env: goEnvironment,
    isSlow: true,
  },
];
