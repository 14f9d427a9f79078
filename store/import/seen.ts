/**
 * A set of texts that can only be added to and asked, at 16 bytes for each of them or fewer: whether an id was seen
 * before in this import. It keeps 64 bits of a hash, so among ten million ids the chance of one false "seen" is about
 * 3 in a million; therefore it is used to count duplicates, never to leave a row out.
 */
export class SeenIds {
  #slots = new Uint32Array(2 * 1024);
  #size = 0;

  /** Returns whether it was there already. */
  add(id: string): boolean {
    if (this.#size * 4 > this.#slots.length) this.#grow();
    const [first, second] = hashes(id);
    const known = put(this.#slots, first, second);
    if (!known) this.#size += 1;
    return known;
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    for (let at = 0; at < this.#slots.length; at += 2) {
      const second = this.#slots[at + 1]!;
      if (second !== 0) put(slots, this.#slots[at]!, second);
    }
    this.#slots = slots;
  }
}

/**
 * The last place of each text among very many, at 24 bytes or fewer a text. Of two texts with the same 64 bits of hash
 * the later place counts for both.
 */
export class LastPlaces {
  #slots = new Uint32Array(2 * 1024);
  #places = new Float64Array(1024);
  #size = 0;

  set(text: string, place: number): void {
    if (this.#size * 4 > this.#slots.length) this.#grow();
    const [first, second] = hashes(text);
    if (!put(this.#slots, first, second)) this.#size += 1;
    this.#places[slotOf(this.#slots, first, second)] = place;
  }

  /** -1 where the text was never set. */
  get(text: string): number {
    const [first, second] = hashes(text);
    const slot = slotOf(this.#slots, first, second);
    return slot < 0 ? -1 : this.#places[slot]!;
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const places = new Float64Array(this.#places.length * 2);
    for (let at = 0; at < this.#slots.length; at += 2) {
      const second = this.#slots[at + 1]!;
      if (second === 0) continue;
      const first = this.#slots[at]!;
      put(slots, first, second);
      places[slotOf(slots, first, second)] = this.#places[at / 2]!;
    }
    this.#slots = slots;
    this.#places = places;
  }
}

function slotOf(slots: Uint32Array, first: number, second: number): number {
  const mask = slots.length / 2 - 1;
  for (let slot = first & mask; ; slot = (slot + 1) & mask) {
    const at = slot * 2;
    if (slots[at + 1] === 0) return -1;
    if (slots[at] === first && slots[at + 1] === second) return slot;
  }
}

/** Puts the pair where it belongs; `second` is never 0, which marks a free slot. */
function put(slots: Uint32Array, first: number, second: number): boolean {
  const mask = slots.length / 2 - 1;
  for (let slot = first & mask; ; slot = (slot + 1) & mask) {
    const at = slot * 2;
    if (slots[at + 1] === 0) {
      slots[at] = first;
      slots[at + 1] = second;
      return false;
    }
    if (slots[at] === first && slots[at + 1] === second) return true;
  }
}

/** Two FNV-1a hashes with different offsets, each stirred at the end (the finaliser of MurmurHash3). */
function hashes(text: string): [number, number] {
  return [hash(text, 0x811c9dc5), hash(text, 0x9e3779b9) || 1];
}

/** 32 bits of a text. */
export function hash(text: string, seed: number): number {
  let value = seed;
  for (let at = 0; at < text.length; at += 1) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  }
  value ^= value >>> 16;
  value = Math.imul(value, 0x85ebca6b);
  value ^= value >>> 13;
  value = Math.imul(value, 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
