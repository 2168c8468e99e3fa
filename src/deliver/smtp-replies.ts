/** Cuts what a relay says into replies: exactly one for each command, and never more bytes than a bound. */

/** A reply is some lines of 512 bytes (RFC 5321 4.5.3.1.5); a peer that never ends one must not fill the memory. */
const unreadBytesMax = 64 * 1024;

export class ReplyQueue {
  /** Complete ones that nobody has taken, a whole reply each: lines joined by \n, without the last line's end. */
  readonly #replies: string[] = [];
  /** Lines of a reply that goes on. As bytes: a character may be cut in two by the network. */
  #lines = '';
  /** What follows the last line end. */
  #rest = '';

  /** False once more is unread than anybody would say. */
  push(chunk: Buffer): boolean {
    const text = chunk.toString('latin1');
    if (!text.includes('\n')) this.#rest += text;
    else {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#pushLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    }
    return this.#unreadBytes() <= unreadBytesMax;
  }

  take(): string | undefined {
    return this.#replies.shift();
  }

  /** Something was said, be it half a reply, that no command has taken for its answer. */
  get isUnread(): boolean {
    return this.hasReply || this.#lines !== '' || this.#rest !== '';
  }

  get hasReply(): boolean {
    return this.#replies.length > 0;
  }

  #pushLine(line: string): void {
    // An empty line between replies says nothing.
    if (line === '' && this.#lines === '') return;
    const lines = this.#lines === '' ? line : `${this.#lines}\n${line}`;
    const isContinued = /^\d+-/.test(line);
    this.#lines = isContinued ? lines : '';
    if (!isContinued) this.#replies.push(decode(lines));
  }

  #unreadBytes(): number {
    return this.#replies.reduce((sum, reply) => sum + reply.length, this.#lines.length + this.#rest.length);
  }
}

/** Replies are UTF-8 at best (RFC 6531 3.7.4.2); what is not is kept byte for byte. */
function decode(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? bytes : text;
}
