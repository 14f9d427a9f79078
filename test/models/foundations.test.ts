import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pack, unpack } from '../../models/codec.ts';
import { dataHash, sha256 } from '../../models/hash.ts';
import { solveSymmetric } from '../../models/linear-algebra.ts';
import { columnOf, matrixOf, selectColumns, takeRows } from '../../models/matrix.ts';
import { Random } from '../../models/random.ts';
import { sampleRows, splitByFraction, splitByTime } from '../../models/splits.ts';
import { expectInvalid } from './estimator-contract.ts';

describe('Random', () => {
  it('repeats itself by seed and stream, and only by them', () => {
    const draw = (seed: number, stream?: number) =>
      Array.from(
        { length: 4 },
        (
          (random) => () =>
            random.uint32()
        )(new Random(seed, stream)),
      );
    expect(draw(1)).toEqual(draw(1));
    const seen = [draw(1), draw(2), draw(1, 1), draw(2 ** 32 + 1), draw(-1), draw(0)];
    expect(new Set(seen.map(String)).size).toBe(seen.length);
    // Stored models must train again to the same numbers after an upgrade.
    expect(draw(42)).toMatchInlineSnapshot(`
      [
        3059225289,
        981476119,
        1319463101,
        1156882750,
      ]
    `);
  });

  it('is even and normal enough', () => {
    const random = new Random(5);
    const n = 20_000;
    const counts = new Int32Array(7);
    for (let i = 0; i < n; i++) counts[random.int(7)]! += 1;
    // χ² with 6 degrees of freedom: 22.5 is its 99.9 % quantile.
    expect(counts.reduce((sum, c) => sum + (c - n / 7) ** 2 / (n / 7), 0)).toBeLessThan(22.5);
    const normals = Float64Array.from({ length: n }, () => random.normal());
    const mean = normals.reduce((a, b) => a + b) / n;
    const variance = normals.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
  });

  it('samples different numbers, all of them where asked for more', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat({ max: 50 }), fc.nat({ max: 60 }), (seed, below, count) => {
        const sample = new Random(seed).sample(below, count);
        expect(sample).toHaveLength(Math.min(below, count));
        expect(new Set(sample).size).toBe(sample.length);
        for (const value of sample) expect(value).toBeLessThan(below);
      }),
    );
  });
});

describe('splits', () => {
  it('by time: everything before the cut, and everything else', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 9 })), fc.nat({ max: 10 }), (times, cut) => {
        const { train, later } = splitByTime(times, cut);
        expect([...train, ...later].toSorted((a, b) => a - b)).toEqual([...times.keys()]);
        expect([...train].every((i) => times[i]! < cut)).toBe(true);
        expect([...later].every((i) => times[i]! >= cut)).toBe(true);
      }),
    );
  });

  it('by fraction: each row in one slice, as many as asked, the same by seed', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 60 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        fc.integer(),
        (rows, fraction, seed) => {
          const split = splitByFraction(rows, fraction, seed);
          expect(split.later).toHaveLength(Math.round(rows * fraction));
          expect([...split.train, ...split.later].toSorted((a, b) => a - b)).toEqual([
            ...Array(rows).keys(),
          ]);
          expect(splitByFraction(rows, fraction, seed)).toEqual(split);
        },
      ),
    );
    expectInvalid(() => splitByFraction(10, 1, 1));
  });

  it('samples rows in their order, and takes all where there are few', () => {
    expect(sampleRows(3, 10, 1)).toEqual(Int32Array.of(0, 1, 2));
    const some = sampleRows(1000, 10, 1);
    expect(some).toHaveLength(10);
    expect(some).toEqual(some.toSorted());
  });
});

describe('hash', () => {
  it('is SHA-256', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(sha256(bytes)).toBe(createHash('sha256').update(bytes).digest('hex'));
      }),
    );
  });

  it('tells data apart by names, shape, values and target', () => {
    const X = matrixOf([[1, Number.NaN]], ['a', 'b']);
    const y = Float64Array.of(1);
    const others = [
      dataHash(X),
      dataHash({ ...X, names: ['a', 'c'] }, y),
      dataHash({ ...X, rows: 2, columns: 1 }, y),
      dataHash(matrixOf([[1, 2]], ['a', 'b']), y),
      dataHash(X, Float64Array.of(0)),
    ];
    expect(new Set([dataHash(X, y), ...others]).size).toBe(6);
    expect(dataHash(matrixOf([[1, Number.NaN]], ['a', 'b']), Uint8Array.of(1))).toBe(
      dataHash(X, y),
    );
  });
});

describe('codec', () => {
  it('keeps every bit, NaN and infinities', () => {
    fc.assert(
      fc.property(fc.array(fc.double()), (values) => {
        const array = Float64Array.from(values);
        expect(unpack(JSON.parse(JSON.stringify(pack(array))), 'f64')).toEqual(array);
      }),
    );
    const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => i);
    expect(unpack(pack(bytes), 'u8', 20_000)).toEqual(bytes);
    // A view of a part packs that part.
    expect(unpack(pack(Int32Array.of(1, 2, 3).subarray(1)), 'i32')).toEqual(Int32Array.of(2, 3));
  });

  it('refuses another type, another length, and what is no array', () => {
    expectInvalid(() => unpack(pack(Int32Array.of(1)), 'f64'));
    expectInvalid(() => unpack(pack(Int32Array.of(1)), 'i32', 2));
    expectInvalid(() => unpack([1], 'i32'));
    expectInvalid(() => unpack('i32:AAA=', 'i32'));
  });
});

describe('matrix', () => {
  it('takes rows and columns', () => {
    const X = matrixOf(
      [
        [1, 2],
        [3, 4],
      ],
      ['a', 'b'],
    );
    expect([...columnOf(X, 1)]).toEqual([2, 4]);
    expect([...takeRows(X, [1, 1, 0]).data]).toEqual([3, 4, 3, 4, 1, 2]);
    expect([...selectColumns(X, ['b']).data]).toEqual([2, 4]);
    expectInvalid(() => selectColumns(X, ['c']), { column: 'c' });
  });
});

it('solves symmetric systems, and says where there is no solution', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 8 }), (seed, n) => {
      const random = new Random(seed);
      const B = Float64Array.from({ length: n * n }, () => random.normal());
      const A = new Float64Array(n * n);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          for (let k = 0; k < n; k++) A[i * n + j]! += B[i * n + k]! * B[j * n + k]!;
          if (i === j) A[i * n + j]! += 0.1;
        }
      }
      const x = Float64Array.from({ length: n }, () => random.normal());
      const b = x.map((_, i) => x.reduce((sum, value, j) => sum + A[i * n + j]! * value, 0));
      expect(solveSymmetric(A, b)).toBe(true);
      x.forEach((value, i) => expect(b[i]).toBeCloseTo(value, 6));
    }),
  );
  expect(solveSymmetric(Float64Array.of(0), Float64Array.of(1))).toBe(false);
});
