/** What a command prints, taken from the console while it runs in this process. */

export async function printed(command: () => Promise<unknown>): Promise<string> {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => void lines.push(line);
  try {
    await command();
  } finally {
    console.log = log;
  }
  return lines.join('\n');
}
