import type { FitContext } from '../estimator.ts';
import { advance, throwIfAborted } from '../estimator.ts';
import { Random } from '../random.ts';
import { Adam } from './adam.ts';
import type { Inputs, Network } from './network.ts';

export interface TrainOptions {
  readonly batch: number;
  readonly epochs: number;
  readonly rate: number;
  readonly l2: number;
  readonly seed: number;
  /** Epochs without a better loss on the rows held out, after which it stops; unused where none are held out. */
  readonly patience: number;
}

export interface Trained {
  readonly epochs: number;
  /** Mean loss of each epoch: on the rows held out where there are some, else on those learnt from, as it went. */
  readonly losses: readonly number[];
}

/** Learns from the rows of `learn`; with rows in `later` it ends with the parameters that were best on those. */
export function train(
  net: Network,
  X: Inputs,
  truth: ArrayLike<number>,
  { learn, later }: { learn: Int32Array; later: Int32Array },
  options: TrainOptions,
  ctx: FitContext,
): Trained {
  const { batch, epochs, rate, l2, seed, patience } = options;
  const random = new Random(seed, 2);
  const adam = new Adam(net.theta.length, rate);
  const gradient = new Float64Array(net.theta.length);
  const order = learn.slice();
  const losses: number[] = [];
  let best = Infinity;
  let bestAt = 0;
  let kept = net.theta;
  let done = 0;
  while (done < epochs && done - bestAt < patience) {
    shuffle(order, random);
    let sum = 0;
    for (let from = 0, k = 1; from < order.length; from += batch, k++) {
      const count = Math.min(batch, order.length - from);
      const said = net.forward(X, order, from, count, random);
      sum += lossOf(net, said, truth, order, from, count);
      net.backward(X, truth, order, from, count, gradient);
      if (l2 > 0) decay(net, gradient, (l2 * count) / learn.length);
      adam.step(net.theta, gradient, 1 / count);
      if (k % 64 === 0) throwIfAborted(ctx);
    }
    done++;
    const loss = later.length > 0 ? meanLoss(net, X, truth, later, batch) : sum / order.length;
    losses.push(loss);
    if (later.length === 0) bestAt = done;
    else if (loss < best) {
      best = loss;
      bestAt = done;
      kept = net.theta.slice();
    }
    advance(ctx, (0.99 * done) / epochs, `epoch ${done} of ${epochs}, loss ${loss.toFixed(4)}`);
  }
  if (kept !== net.theta) net.theta.set(kept);
  advance(ctx, 1, `${done} epochs`);
  return { epochs: bestAt, losses };
}

function meanLoss(
  net: Network,
  X: Inputs,
  truth: ArrayLike<number>,
  rows: Int32Array,
  batch: number,
): number {
  let sum = 0;
  for (let from = 0; from < rows.length; from += batch) {
    const count = Math.min(batch, rows.length - from);
    sum += lossOf(net, net.forward(X, rows, from, count), truth, rows, from, count);
  }
  return sum / rows.length;
}

/** Cross-entropy, summed; probabilities are kept 1e-15 away from 0. */
function lossOf(
  net: Network,
  said: Float64Array,
  truth: ArrayLike<number>,
  rows: Int32Array,
  from: number,
  count: number,
): number {
  const outputs = net.shape.layers.at(-1)!.units;
  let sum = 0;
  for (let b = 0; b < count; b++) {
    const y = truth[rows[from + b]!]!;
    const p = net.output === 'softmax' ? said[b * outputs + y]! : y === 1 ? said[b]! : 1 - said[b]!;
    sum -= Math.log(Math.max(p, 1e-15));
  }
  return sum;
}

/** The gradient of ½ l2 |w|² over the weights; biases and the vectors of levels are free. */
function decay(net: Network, gradient: Float64Array, factor: number): void {
  for (const { weightAt, biasAt } of net.shape.layers) {
    for (let k = weightAt; k < biasAt; k++) gradient[k]! += factor * net.theta[k]!;
  }
}

function shuffle(order: Int32Array, random: Random): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
}
