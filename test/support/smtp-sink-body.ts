/** Collects one DATA body chunk by chunk and finds its end, which only CRLF.CRLF is. */

const endOfData = Buffer.from('\r\n.\r\n');
const stuffed = Buffer.from('\r\n.');
const headerEnd = Buffer.from('\r\n\r\n');

export class BodyReader {
  length = 0;
  readonly #chunks: Buffer[] = [];
  /** The last bytes read, where an end may have begun. DATA's own CRLF counts: an empty body is just the dot. */
  #tail = Buffer.from('\r\n');

  /** Null while the end has not come, else what follows it. */
  read(chunk: Buffer): Buffer | null {
    const seam = Buffer.concat([this.#tail, chunk.subarray(0, endOfData.length - 1)]);
    const inSeam = seam.indexOf(endOfData);
    const end = inSeam >= 0 ? inSeam - this.#tail.length : chunk.indexOf(endOfData);
    if (inSeam < 0 && end < 0) {
      this.#chunks.push(chunk);
      this.length += chunk.length;
      this.#tail = Buffer.concat([this.#tail, chunk.subarray(-endOfData.length + 1)]).subarray(-endOfData.length + 1);
      return null;
    }
    // The CRLF before the dot belongs to the last line. It, and the dot, may lie in an earlier chunk: `end` is negative then.
    this.#chunks.push(chunk);
    this.length += end + 2;
    return chunk.subarray(end + endOfData.length);
  }

  /** Without dot-stuffing. */
  bytes(): Buffer {
    const wire = this.#wire();
    const lines: Buffer[] = [];
    let start = wire[0] === 0x2e ? 1 : 0;
    for (let at = wire.indexOf(stuffed); at >= 0; at = wire.indexOf(stuffed, at + stuffed.length)) {
      lines.push(wire.subarray(start, at + 2));
      start = at + stuffed.length;
    }
    return lines.length === 0 ? wire.subarray(start) : Buffer.concat([...lines, wire.subarray(start)]);
  }

  messageId(): string {
    const wire = this.#wire();
    const end = wire.indexOf(headerEnd);
    const header = wire.toString('latin1', 0, end < 0 ? wire.length : end);
    return /^message-id:\s*(\S+)/im.exec(header)?.[1] ?? '';
  }

  #wire(): Buffer {
    const whole = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    return whole.subarray(0, this.length);
  }
}
