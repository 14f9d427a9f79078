import { describe, expect, it } from 'vitest';
import { fitSparseBayes } from '../../models/bayes/multinomial.ts';
import { plainDesign } from '../../models/design.ts';
import { LinearRegression } from '../../models/linear/regression.ts';
import { matrixOf } from '../../models/matrix.ts';
import { Network } from '../../models/net/network.ts';
import { shapeOf, startAt } from '../../models/net/shape.ts';
import { Random } from '../../models/random.ts';
import { KernelCache } from '../../models/svm/kernel.ts';
import { smo } from '../../models/svm/smo.ts';
import { hashTexts } from '../../models/text/hashing.ts';
import { scoreSparse } from '../../models/text/sparse.ts';

describe('linear regression', () => {
  it('gives the coefficients and errors of the textbook, and 0 to a column that others determine', () => {
    const x = [1, 2, 3, 4, 5];
    const X = matrixOf(
      x.map((v) => [v, 2 * v]),
      ['x', 'twice'],
    );
    const model = new LinearRegression().fit(X, Float64Array.of(2.1, 3.9, 6.2, 7.8, 10.1));
    const [slope, twice] = model.coefficients;
    expect(slope!.value).toBeCloseTo(1.99, 10);
    expect(model.intercept).toBeCloseTo(0.05, 10);
    // s² = 0.107 / 3 and Σ(x − x̄)² = 10.
    expect(slope!.error).toBeCloseTo(Math.sqrt(0.107 / 3 / 10), 10);
    expect([twice!.value, twice!.error]).toEqual([0, 0]);
  });
});

describe('the network', () => {
  it('has the gradient that differences of its loss say, embeddings and offsets included', () => {
    const random = new Random(3);
    const X = matrixOf(
      Array.from({ length: 6 }, () => [random.normal(), random.int(2), random.normal()]),
      ['a', 'b', 'c'],
    );
    const numbers = { ...plainDesign(X), offset: Float64Array.of(0, 0.4, 0) };
    const inputs = { numbers, levels: [Int32Array.of(0, 1, 2, 0, 1, 2)] };
    const hidden = [
      { units: 5, activation: 'sigmoid', dropout: 0 },
      { units: 4, activation: 'relu', dropout: 0 },
    ] as const;
    for (const output of ['sigmoid', 'softmax'] as const) {
      const outputs = output === 'sigmoid' ? 1 : 3;
      const y = Float64Array.from({ length: 6 }, (_, i) => i % (output === 'sigmoid' ? 2 : 3));
      const shape = shapeOf(3, [{ levels: 3, size: 2 }], hidden, outputs);
      const theta = startAt(shape, new Random(4));
      const net = new Network(shape, theta, output, 6);
      const order = Int32Array.of(5, 3, 1, 0, 2, 4);
      const loss = (): number => {
        const p = net.forward(inputs, order, 0, 6);
        let sum = 0;
        order.forEach((row, b) => {
          const yes = output === 'sigmoid' ? p[b]! : p[b * 3 + y[row]!]!;
          sum -= Math.log(output === 'sigmoid' && y[row] === 0 ? 1 - yes : yes);
        });
        return sum;
      };
      loss();
      const gradient = new Float64Array(shape.size);
      net.backward(inputs, y, order, 0, 6, gradient);
      for (let k = 0; k < shape.size; k++) {
        const held = theta[k]!;
        theta[k] = held + 1e-5;
        const up = loss();
        theta[k] = held - 1e-5;
        const difference = (up - loss()) / 2e-5;
        theta[k] = held;
        expect(gradient[k]).toBeCloseTo(difference, 6);
      }
    }
  });
});

describe('sequential minimal optimisation', () => {
  it('ends where no row breaks its margin by more than the tolerance', () => {
    const random = new Random(5);
    const rows = 80;
    const x = Float64Array.from({ length: 2 * rows }, () => random.normal());
    const y = Float64Array.from({ length: rows }, (_, i) =>
      x[2 * i]! * x[2 * i + 1]! + random.normal() / 3 > 0 ? 1 : -1,
    );
    const bound = new Float64Array(rows).fill(2);
    bound[0] = 0;
    // A cache of two rows, so that rows are dropped and made again.
    const kernel = new KernelCache(x, rows, 0.5, 1);
    const options = { bound, tolerance: 1e-4, iterations: 100_000 };
    const { alpha, margins, converged } = smo(kernel, y, options, {});
    expect(converged).toBe(true);
    expect(alpha.reduce((sum, a, i) => sum + a * y[i]!, 0)).toBeCloseTo(0, 9);
    for (let i = 0; i < rows; i++) {
      if (bound[i] === 0) expect(alpha[i]).toBe(0);
      else if (alpha[i] === 0) expect(y[i]! * margins[i]!).toBeGreaterThan(1 - 1e-3);
      else if (alpha[i] === 2) expect(y[i]! * margins[i]!).toBeLessThan(1 + 1e-3);
      else expect(y[i]! * margins[i]!).toBeCloseTo(1, 2);
    }
  });
});

describe('text', () => {
  it('naive Bayes on hashed words tells praise from complaint, in any script', () => {
    const texts = ['great shoes', 'очень хорошо', '很好 great', 'bad shoes', 'очень плохо', 'bad'];
    const X = hashTexts(texts, 4_096);
    const y = Float64Array.of(1, 1, 1, 0, 0, 0);
    // Signs would cancel counts.
    const counts = { ...X, value: X.value.map(Math.abs) };
    const { weights, intercept } = fitSparseBayes(counts, y);
    for (let i = 0; i < 6; i++) {
      expect(scoreSparse(counts, i, weights, intercept) > 0).toBe(y[i] === 1);
    }
  });
});
