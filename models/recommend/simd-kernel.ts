/**
 * One kernel in WebAssembly SIMD, assembled here so that its source is its build: there is no binary to trust.
 * It exists since 64³ multiply-adds are all that fitting EASE is made of, and scalar JavaScript takes 6 times as long.
 * Multiplies and adds are rounded one by one (no fused or relaxed instructions): each machine gives the same bits.
 */

/** Rows and columns of a block. */
export const BLOCK = 64;

export interface Kernel {
  /** All addresses in the calls are bytes into it. */
  readonly memory: ArrayBuffer;
  /**
   * `C[i][j] -= Σ_r W[r][i] P[r][j]` for one block of 32-bit floats. `W` and `P` are 64 × 64 row by row; the rows of
   * `C` are `stride` bytes apart.
   */
  readonly subtract: (c: number, stride: number, w: number, p: number) => void;
}

/** What the platform offers, as far as it is used: the type library of this project has no browser in it. */
interface Platform {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Record<string, unknown> };
}

/** A kernel with `bytes` of zeroed memory; up to 4 GiB. */
export function kernelOf(bytes: number): Kernel {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: Platform }).WebAssembly;
  const { exports } = new Instance(new Module(moduleBytes(Math.ceil(bytes / 65_536))));
  return {
    memory: (exports['memory'] as { readonly buffer: ArrayBuffer }).buffer,
    subtract: exports['subtract'] as Kernel['subtract'],
  };
}

// Parameters and locals of the function, by their index.
const [C, STRIDE, W, P, I, J, R, WI, PJ, CI] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const SUM = 10; // eight sums: four rows of two vectors
const [LEFT, RIGHT, ONE] = [18, 19, 20];
const ROW_BYTES = BLOCK * 4;

const local = { get: (i: number) => [0x20, i], set: (i: number) => [0x21, i] };
const constant = (value: number): number[] => [0x41, ...signed(value)];
const ADD = [0x6a];
const simd = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
const load = (offset: number): number[] => [...simd(0), 2, ...unsigned(offset)];
const loadSplat = (offset: number): number[] => [...simd(9), 2, ...unsigned(offset)];
const store = (offset: number): number[] => [...simd(11), 2, ...unsigned(offset)];
const [FLOAT_ADD, FLOAT_SUB, FLOAT_MUL] = [simd(0xe4), simd(0xe5), simd(0xe6)];

/** Runs `body` until the local `counter`, which grows by `step`, reaches `end`. */
function loop(counter: number, step: number, end: number, body: number[]): number[] {
  return [
    ...constant(0),
    ...local.set(counter),
    3,
    64,
    ...body,
    ...local.get(counter),
    ...constant(step),
    ...ADD,
    34,
    counter,
    ...constant(end),
    73,
    13,
    0,
    11,
  ];
}

/** Sums of 4 rows × 8 columns over all r, kept in registers. */
function products(): number[] {
  const one = [0, 1, 2, 3].flatMap((row) => [
    ...local.get(WI),
    ...loadSplat(row * 4),
    ...local.set(ONE),
    ...[LEFT, RIGHT].flatMap((side, at) => {
      const sum = SUM + row * 2 + at;
      const product = [...local.get(ONE), ...local.get(side), ...FLOAT_MUL];
      return [...local.get(sum), ...product, ...FLOAT_ADD, ...local.set(sum)];
    }),
  ]);
  return [
    ...local.get(PJ),
    ...load(0),
    ...local.set(LEFT),
    ...local.get(PJ),
    ...load(16),
    ...local.set(RIGHT),
    ...one,
    ...local.get(WI),
    ...constant(ROW_BYTES),
    ...ADD,
    ...local.set(WI),
    ...local.get(PJ),
    ...constant(ROW_BYTES),
    ...ADD,
    ...local.set(PJ),
  ];
}

function tile(): number[] {
  const zero = [...simd(12), ...Array.from({ length: 16 }, () => 0)];
  const sums = Array.from({ length: 8 }, (_, s) => SUM + s);
  const moveBack = [0, 1, 2, 3].flatMap((row) => [
    ...[0, 1].flatMap((at) => [
      ...local.get(CI),
      ...local.get(CI),
      ...load(at * 16),
      ...local.get(SUM + row * 2 + at),
      ...FLOAT_SUB,
      ...store(at * 16),
    ]),
    ...(row === 3 ? [] : [...local.get(CI), ...local.get(STRIDE), ...ADD, ...local.set(CI)]),
  ]);
  return [
    ...sums.flatMap((sum) => [...zero, ...local.set(sum)]),
    ...local.get(W),
    ...local.get(I),
    ...ADD,
    ...local.set(WI),
    ...local.get(P),
    ...local.get(J),
    ...ADD,
    ...local.set(PJ),
    ...loop(R, 1, BLOCK, products()),
    // The row of the tile in C: c + (i / 4) stride + j, where i counts bytes.
    ...local.get(I),
    ...constant(2),
    0x76,
    ...local.get(STRIDE),
    0x6c,
    ...local.get(C),
    ...ADD,
    ...local.get(J),
    ...ADD,
    ...local.set(CI),
    ...moveBack,
  ];
}

function moduleBytes(pages: number): Uint8Array {
  const I32 = 0x7f;
  const V128 = 0x7b;
  const code = [
    2,
    6,
    I32,
    11,
    V128,
    ...loop(I, 16, ROW_BYTES, loop(J, 32, ROW_BYTES, tile())),
    0x0b,
  ];
  const text = (name: string): number[] => [
    name.length,
    ...Array.from(name, (c) => c.charCodeAt(0)),
  ];
  return Uint8Array.from([
    0,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    ...section(1, [1, 0x60, 4, I32, I32, I32, I32, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 1, ...unsigned(pages), ...unsigned(pages)]),
    ...section(7, [2, ...text('memory'), 2, 0, ...text('subtract'), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}

const section = (id: number, body: number[]): number[] => [id, ...unsigned(body.length), ...body];

/** LEB128, the form of whole numbers in WebAssembly. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    bytes.push(value === 0 ? low : low | 0x80);
  } while (value !== 0);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    if ((value === 0 && (low & 0x40) === 0) || (value === -1 && (low & 0x40) !== 0)) {
      bytes.push(low);
      return bytes;
    }
    bytes.push(low | 0x80);
  }
}
