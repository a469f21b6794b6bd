// MessagePack as far as the protocol goes: strings, integers, booleans, nulls, lists, maps with string keys. Anything else is an error.

const DEPTH_LIMIT = 16; // lists and maps inside each other
const TWO_32 = 2 ** 32;
const writer = new TextEncoder();
const reader = new TextDecoder("utf-8", { fatal: true });

// -- writing ---------------------------------------------------------------------------------------------------------------

/** A value as bytes, each number in its shortest form. Keys whose value is undefined are left out. Throws TypeError. */
export function encode(value) {
  const bytes = [];
  write(bytes, value);
  return Uint8Array.from(bytes);
}

function write(bytes, value) {
  if (value === null) bytes.push(0xc0);
  else if (typeof value === "boolean") bytes.push(value ? 0xc3 : 0xc2);
  else if (typeof value === "string") writeText(bytes, value);
  else if (Number.isSafeInteger(value)) writeInteger(bytes, value);
  else if (Array.isArray(value)) writeList(bytes, value);
  else if (typeof value === "object") writeMap(bytes, value);
  else throw new TypeError(`the protocol has no ${typeof value}: ${String(value)}`);
}

function writeInteger(bytes, value) {
  if (value >= 0 ? value < 0x80 : value >= -0x20) bytes.push(value & 0xff);
  else if (value >= 0) writeSized(bytes, value, 0xcc, 0xcd, 0xce, 0xcf);
  else if (value >= -0x80) bytes.push(0xd0, value & 0xff);
  else if (value >= -0x8000) bytes.push(0xd1, ...bigEndian(value, 2));
  else if (value >= -0x80000000) bytes.push(0xd2, ...bigEndian(value, 4));
  else bytes.push(0xd3, ...bigEndian(value, 8));
}

/** A number that is not negative, behind the opcode for its width. */
function writeSized(bytes, value, one, two, four, eight) {
  if (one && value < 0x100) bytes.push(one, value);
  else if (value < 0x10000) bytes.push(two, ...bigEndian(value, 2));
  else if (value < TWO_32) bytes.push(four, ...bigEndian(value, 4));
  else bytes.push(eight, ...bigEndian(value, 8));
}

function bigEndian(value, width) {
  const view = new DataView(new ArrayBuffer(8));
  view.setInt32(0, Math.floor(value / TWO_32));
  view.setUint32(4, value >>> 0);
  return new Uint8Array(view.buffer, 8 - width);
}

function writeText(bytes, text) {
  const data = writer.encode(text);
  if (data.length < 32) bytes.push(0xa0 | data.length);
  else writeSized(bytes, data.length, 0xd9, 0xda, 0xdb);
  for (const byte of data) bytes.push(byte);
}

function writeList(bytes, list) {
  if (list.length < 16) bytes.push(0x90 | list.length);
  else writeSized(bytes, list.length, 0, 0xdc, 0xdd);
  for (const value of list) write(bytes, value);
}

function writeMap(bytes, map) {
  const entries = Object.entries(map).filter(([, value]) => value !== undefined);
  if (entries.length < 16) bytes.push(0x80 | entries.length);
  else writeSized(bytes, entries.length, 0, 0xde, 0xdf);
  for (const [key, value] of entries) {
    writeText(bytes, key);
    write(bytes, value);
  }
}

// -- reading ---------------------------------------------------------------------------------------------------------------

/** The one value that the bytes hold. Throws RangeError: broken, too deep, or of a kind that the protocol does not have. */
export function decode(bytes) {
  const source = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: 0 };
  const value = read(source, DEPTH_LIMIT);
  if (source.at !== bytes.length) throw new RangeError("more bytes than one value");
  return value;
}

function read(source, depth) {
  const code = source.view.getUint8(source.at++); // a RangeError where the bytes end
  if (code < 0x80) return code;
  if (code < 0x90) return readMap(source, code & 0x0f, depth);
  if (code < 0xa0) return readList(source, code & 0x0f, depth);
  if (code < 0xc0) return readText(source, code & 0x1f);
  if (code >= 0xe0) return code - 0x100;
  return readLonger(source, code, depth);
}

function readLonger(source, code, depth) {
  switch (code) {
    case 0xc0: return null;
    case 0xc2: return false;
    case 0xc3: return true;
    case 0xcc: case 0xcd: case 0xce: case 0xcf: return unsigned(source, 1 << (code - 0xcc));
    case 0xd0: case 0xd1: case 0xd2: case 0xd3: return signed(source, 1 << (code - 0xd0));
    case 0xd9: case 0xda: case 0xdb: return readText(source, unsigned(source, 1 << (code - 0xd9)));
    case 0xdc: case 0xdd: return readList(source, unsigned(source, 2 << (code - 0xdc)), depth);
    case 0xde: case 0xdf: return readMap(source, unsigned(source, 2 << (code - 0xde)), depth);
    default: throw new RangeError(`the protocol has no value that begins with 0x${code.toString(16)}`);
  }
}

function unsigned(source, width) {
  const { view, at } = source;
  source.at += width;
  if (width === 1) return view.getUint8(at);
  if (width === 2) return view.getUint16(at);
  if (width === 4) return view.getUint32(at);
  return exact(view.getUint32(at) * TWO_32 + view.getUint32(at + 4));
}

function signed(source, width) {
  const { view, at } = source;
  source.at += width;
  if (width === 1) return view.getInt8(at);
  if (width === 2) return view.getInt16(at);
  if (width === 4) return view.getInt32(at);
  return exact(view.getInt32(at) * TWO_32 + view.getUint32(at + 4));
}

function exact(number) {
  if (!Number.isSafeInteger(number)) throw new RangeError("an integer beyond 2^53");
  return number;
}

function readText(source, length) {
  const end = source.at + length;
  if (end > source.bytes.length) throw new RangeError("a text longer than its frame");
  const data = source.bytes.subarray(source.at, end);
  source.at = end;
  try {
    return reader.decode(data);
  } catch {
    throw new RangeError("text that is not UTF-8");
  }
}

function readList(source, length, depth) {
  const list = [];
  room(source, length, depth);
  for (let index = 0; index < length; index += 1) list.push(read(source, depth - 1));
  return list;
}

function readMap(source, length, depth) {
  const map = {};
  room(source, 2 * length, depth);
  for (let index = 0; index < length; index += 1) {
    const key = read(source, depth - 1);
    if (typeof key !== "string") throw new RangeError("keys of maps must be strings");
    const value = read(source, depth - 1);
    if (key !== "__proto__") map[key] = value; // a key that nobody knows
  }
  return map;
}

/** A list that says it has more entries than its frame has bytes is not even begun. */
function room(source, entries, depth) {
  if (depth === 0) throw new RangeError(`lists and maps more than ${DEPTH_LIMIT} deep`);
  if (entries > source.bytes.length - source.at) throw new RangeError("a list longer than its frame");
}
