import { invalid } from './check.ts';

/**
 * Typed arrays in JSON: base64 of their little-endian bytes. Three times shorter than numbers as text, no digit is
 * lost, and NaN and infinities survive. Every platform that runs Node 24 is little-endian.
 */
const ARRAYS = {
  f64: Float64Array,
  f32: Float32Array,
  i32: Int32Array,
  u16: Uint16Array,
  u8: Uint8Array,
} as const;
type Name = keyof typeof ARRAYS;
type Packable = Float64Array | Float32Array | Int32Array | Uint16Array | Uint8Array;

export function pack(values: Packable): string {
  const name = (Object.keys(ARRAYS) as Name[]).find((key) => values instanceof ARRAYS[key])!;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let text = '';
  // Slices, since `apply` has a limit on arguments.
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return `${name}:${btoa(text)}`;
}

export function unpack(packed: unknown, name: 'f64', length?: number): Float64Array;
export function unpack(packed: unknown, name: 'f32', length?: number): Float32Array;
export function unpack(packed: unknown, name: 'i32', length?: number): Int32Array;
export function unpack(packed: unknown, name: 'u16', length?: number): Uint16Array;
export function unpack(packed: unknown, name: 'u8', length?: number): Uint8Array;
/** MODEL_INVALID where the text is not such an array, or not of that length. */
export function unpack(packed: unknown, name: Name, length?: number): Packable {
  const Type = ARRAYS[name];
  if (typeof packed !== 'string' || !packed.startsWith(`${name}:`)) {
    throw invalid(
      `A stored array is not of type ${name}; the model is damaged, so train it again.`,
    );
  }
  const text = atob(packed.slice(name.length + 1));
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const count = bytes.length / Type.BYTES_PER_ELEMENT;
  if (!Number.isInteger(count) || (length !== undefined && count !== length)) {
    throw invalid(
      `A stored array has ${count} values; expected ${length}: the model is damaged, so train it again.`,
    );
  }
  return new Type(bytes.buffer);
}
