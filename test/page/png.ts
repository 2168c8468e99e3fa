/** Makes a screenshot small enough for a repository: 256 colours are more than a page of ours has, but for its edges. */

import assert from 'node:assert/strict';
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const coloursMax = 256;

/** Takes and gives PNG (8 bits a channel, not interlaced, as Chromium writes them). */
export function shrinkPng(png: Uint8Array): Buffer {
  const picture = decode(Buffer.from(png));
  const palette = commonColours(picture.pixels);
  const data = dataOf(picture, nearestIn(palette));
  return Buffer.concat([...headOf(picture, palette), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

/** One picture of several of one size, each shown so long, for ever (APNG); who knows no APNG sees the first. */
export function movingPng(pngs: readonly Uint8Array[], frameMs: number): Buffer {
  const pictures = pngs.map((png) => decode(Buffer.from(png)));
  const [first] = pictures;
  assert.ok(first && pictures.every(({ width, height }) => width === first.width && height === first.height));
  const all = new Uint32Array(pictures.reduce((sum, { pixels }) => sum + pixels.length, 0));
  pictures.forEach(({ pixels }, index) => {
    all.set(pixels, index * pixels.length);
  });
  const palette = commonColours(all);
  const indexOf = nearestIn(palette);
  let sequence = 0;
  const frames = pictures.flatMap((picture, index) => {
    const control = chunk('fcTL', frameControl(sequence++, first, frameMs));
    const data = dataOf(picture, indexOf);
    if (index === 0) return [control, chunk('IDAT', data)];
    return [control, chunk('fdAT', Buffer.concat([numbers(sequence++), data]))];
  });
  const [signed, ...head] = headOf(first, palette);
  const played = chunk('acTL', numbers(pictures.length, 0));
  return Buffer.concat([signed ?? signature, ...head, played, ...frames, chunk('IEND', Buffer.alloc(0))]);
}

/** Where it stands, and for how many milliseconds; it takes the place of what was there. */
function frameControl(sequence: number, { width, height }: Picture, frameMs: number): Buffer {
  const [delay, rest] = [Buffer.alloc(4), Buffer.alloc(2)];
  delay.writeUInt16BE(frameMs, 0);
  delay.writeUInt16BE(1_000, 2);
  return Buffer.concat([numbers(sequence, width, height, 0, 0), delay, rest]);
}

function numbers(...all: number[]): Buffer {
  const buffer = Buffer.alloc(all.length * 4);
  all.forEach((one, index) => {
    buffer.writeUInt32BE(one, index * 4);
  });
  return buffer;
}

type Picture = { width: number; height: number; pixels: Uint32Array };

function headOf({ width, height }: Picture, palette: readonly number[]): Buffer[] {
  const head = Buffer.concat([numbers(width, height), Buffer.from([8, 3, 0, 0, 0])]);
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  return [signature, chunk('IHDR', head), chunk('PLTE', colours)];
}

function dataOf({ width, height, pixels }: Picture, indexOf: (colour: number) => number): Buffer {
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = indexOf(pixels[y * width + x] ?? 0);
  }
  return deflateSync(rows, { level: 9, memLevel: 9 });
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/** Pixels as 0xRRGGBB, row by row; what is transparent is not asked for. */
function decode(png: Buffer): Picture {
  assert.ok(png.subarray(0, 8).equals(signature), 'a PNG');
  const width = png.readUInt32BE(16);
  const height = png.readUInt32BE(20);
  const channels = { 2: 3, 6: 4 }[png[25] ?? 0];
  assert.ok(png[24] === 8 && channels && png[28] === 0, '8 bits, RGB or RGBA, not interlaced');
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const raw = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  const bytes = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) unfilter(raw, bytes, { y, stride, channels });
  const pixels = new Uint32Array(width * height);
  for (let at = 0; at < pixels.length; at++) pixels[at] = bytes.readUIntBE(at * channels, 3);
  return { width, height, pixels };
}

/** PNG 9.2: each byte was written as what it differs from by its neighbours. */
function unfilter(raw: Buffer, bytes: Buffer, row: { y: number; stride: number; channels: number }): void {
  const { y, stride, channels } = row;
  const filter = raw[y * (stride + 1)];
  for (let x = 0; x < stride; x++) {
    const left = x < channels ? 0 : (bytes[y * stride + x - channels] ?? 0);
    const up = y === 0 ? 0 : (bytes[(y - 1) * stride + x] ?? 0);
    const corner = x < channels || y === 0 ? 0 : (bytes[(y - 1) * stride + x - channels] ?? 0);
    const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter ?? 0] ?? 0;
    bytes[y * stride + x] = (raw[y * (stride + 1) + 1 + x] ?? 0) + guess;
  }
}

function paeth(left: number, up: number, corner: number): number {
  const p = left + up - corner;
  const [a, b, c] = [Math.abs(p - left), Math.abs(p - up), Math.abs(p - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/** The most frequent ones, and of the rest those that are far from all before them. */
function commonColours(pixels: Uint32Array): number[] {
  const counts = new Map<number, number>();
  for (const colour of pixels) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]).map(([colour]) => colour);
  const palette: number[] = [];
  for (const leastDistance of [48, 8, 0]) {
    for (const colour of sorted) {
      if (palette.length >= coloursMax) return palette;
      if (palette.every((other) => distance(colour, other) > leastDistance)) palette.push(colour);
    }
  }
  return palette;
}

function nearestIn(palette: number[]): (colour: number) => number {
  const known = new Map(palette.map((colour, index) => [colour, index]));
  return (colour) => {
    const found = known.get(colour);
    if (found !== undefined) return found;
    let best = 0;
    for (const [index, other] of palette.entries()) {
      if (distance(colour, other) < distance(colour, palette[best] ?? 0)) best = index;
    }
    known.set(colour, best);
    return best;
  };
}

function distance(a: number, b: number): number {
  return (
    Math.abs((a >> 16) - (b >> 16)) + Math.abs(((a >> 8) & 255) - ((b >> 8) & 255)) + Math.abs((a & 255) - (b & 255))
  );
}
