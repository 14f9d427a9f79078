/**
 * Canonical JSON after RFC 8785: one text for one value, so that a hash over it means "the same content", whatever the
 * order in which keys were written. Members that are `undefined` are left out, as JSON does.
 */
export function canonicalJson(value: unknown): string {
  return write(value, '');
}

function write(value: unknown, pointer: string): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return writeNumber(value, pointer);
  if (typeof value === 'string') return writeString(value, pointer);
  if (Array.isArray(value)) {
    return `[${value.map((item, index) => write(item, `${pointer}/${index}`)).join(',')}]`;
  }
  if (isPlainObject(value)) {
    const members = Object.keys(value)
      .filter((key) => value[key] !== undefined)
      .toSorted()
      .map((key) => `${writeString(key, pointer)}:${write(value[key], `${pointer}/${key}`)}`);
    return `{${members.join(',')}}`;
  }
  throw new TypeError(`canonical JSON has no form for a ${typeof value} at "${pointer}"`);
}

function writeNumber(value: number, pointer: string): string {
  if (!Number.isFinite(value))
    throw new TypeError(`canonical JSON has no ${value} at "${pointer}"`);
  // JSON.stringify writes numbers as RFC 8785 wants them, and -0 as 0.
  return JSON.stringify(value);
}

function writeString(value: string, pointer: string): string {
  // A lone surrogate has no UTF-8 form, so two hashes of it could differ by platform.
  if (!value.isWellFormed()) {
    throw new TypeError(`canonical JSON needs well-formed Unicode at "${pointer}"`);
  }
  return JSON.stringify(value);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Freezes a value of plain objects and arrays all the way down, and returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
