import { checkMatrix, checkParam, invalid } from '../check.ts';
import type { FitContext } from '../estimator.ts';
import { advance } from '../estimator.ts';
import type { Matrix } from '../matrix.ts';

export type Linkage = 'ward' | 'average' | 'complete';

/** The tree of merges, by ascending height. Rows are nodes 0 … n − 1, the m-th merge makes the node n + m. */
export interface Dendrogram {
  readonly rows: number;
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** Distance at which they merged; for Ward as SciPy has it: √(2 · the growth of the sum of squares). */
  readonly height: Float64Array;
}

/** Average and complete linkage hold all distances: 4 bytes a pair, 0.8 GB at this many rows. */
export const DISTANCES_ROWS_MAX = 20_000;

/**
 * Hierarchical clustering by chains of nearest neighbours (Murtagh 1983; Müllner 2011): quadratic in the rows. Ward
 * keeps centres instead of distances, so that its memory grows with the rows only.
 */
export function agglomerate(X: Matrix, linkage: Linkage, ctx: FitContext = {}): Dendrogram {
  checkMatrix(X, 'rejects');
  if (linkage !== 'ward') checkParam('rows', X.rows, 1, DISTANCES_ROWS_MAX);
  return sorted(linkage === 'ward' ? wardMerges(X, ctx) : distanceMerges(X, linkage, ctx), X.rows);
}

interface Merges {
  /** Two rows that stand for their clusters. */
  readonly a: Int32Array;
  readonly b: Int32Array;
  readonly height: Float64Array;
}

const STEPS_BETWEEN = 256;

function wardMerges(X: Matrix, ctx: FitContext): Merges {
  const { rows: n, columns: d } = X;
  // Clusters stand packed in places 0 … active − 1, so that a search reads memory in one go.
  const centre = X.data.slice();
  const size = new Float64Array(n).fill(1);
  const row = Int32Array.from({ length: n }, (_, i) => i);
  const place = row.slice();
  const merges = emptyMerges(n);
  const chain = new Int32Array(n);
  let length = 0;
  let active = n;
  for (let m = 0; m < n - 1;) {
    if (length === 0) chain[length++] = row[0]!;
    const tip = place[chain[length - 1]!]!;
    const before = length > 1 ? place[chain[length - 2]!]! : -1;
    const found = nearestByWard(centre, size, active, d, tip, before);
    if (found.place !== before) {
      chain[length++] = row[found.place]!;
      continue;
    }
    length -= 2;
    merges.a[m] = row[before]!;
    merges.b[m] = row[tip]!;
    merges.height[m] = Math.sqrt(2 * found.cost);
    const total = size[before]! + size[tip]!;
    for (let j = 0; j < d; j++) {
      centre[before * d + j] =
        (size[before]! * centre[before * d + j]! + size[tip]! * centre[tip * d + j]!) / total;
    }
    size[before] = total;
    active--;
    size[tip] = size[active]!;
    row[tip] = row[active]!;
    place[row[tip]!] = tip;
    centre.copyWithin(tip * d, active * d, (active + 1) * d);
    m++;
    if (m % STEPS_BETWEEN === 0) advance(ctx, m / n, `merge ${m} of ${n - 1}`);
  }
  return merges;
}

/** The cluster whose union with `tip` adds least to the sum of squares; the chain's last one wins a tie, so it ends. */
function nearestByWard(
  centre: Float64Array,
  size: Float64Array,
  active: number,
  d: number,
  tip: number,
  before: number,
): { place: number; cost: number } {
  const own = size[tip]!;
  const at = tip * d;
  let best = before;
  let cost = before < 0 ? Infinity : wardCost(centre, size, d, tip, before);
  const first = centre[at]!;
  for (let c = 0, from = 0; c < active; c++, from += d) {
    if (c === tip) continue;
    const factor = (own * size[c]!) / (own + size[c]!);
    const lead = centre[from]! - first;
    let sum = lead * lead;
    if (factor * sum >= cost) continue;
    for (let j = 1; j < d; j++) {
      const difference = centre[from + j]! - centre[at + j]!;
      sum += difference * difference;
    }
    if (factor * sum < cost) {
      cost = factor * sum;
      best = c;
    }
  }
  return { place: best, cost };
}

function wardCost(
  centre: Float64Array,
  size: Float64Array,
  d: number,
  a: number,
  b: number,
): number {
  let sum = 0;
  for (let j = 0; j < d; j++) sum += (centre[b * d + j]! - centre[a * d + j]!) ** 2;
  return ((size[a]! * size[b]!) / (size[a]! + size[b]!)) * sum;
}

/** Lance and Williams' updates on the distances of all pairs. */
function distanceMerges(X: Matrix, linkage: 'average' | 'complete', ctx: FitContext): Merges {
  const n = X.rows;
  const distance = pairDistances(X, ctx);
  const at = (i: number, j: number) => (i < j ? (j * (j - 1)) / 2 + i : (i * (i - 1)) / 2 + j);
  const size = new Float64Array(n).fill(1);
  const alive = Int32Array.from({ length: n }, (_, i) => i);
  const place = alive.slice();
  const merges = emptyMerges(n);
  const chain = new Int32Array(n);
  let length = 0;
  let active = n;
  for (let m = 0; m < n - 1;) {
    if (length === 0) chain[length++] = alive[0]!;
    const tip = chain[length - 1]!;
    let best = length > 1 ? chain[length - 2]! : -1;
    let nearest = best < 0 ? Infinity : distance[at(tip, best)]!;
    for (let k = 0; k < active; k++) {
      const other = alive[k]!;
      if (other === tip) continue;
      const own = distance[at(tip, other)]!;
      if (own >= nearest) continue;
      nearest = own;
      best = other;
    }
    if (length < 2 || best !== chain[length - 2]) {
      chain[length++] = best;
      continue;
    }
    length -= 2;
    merges.a[m] = best;
    merges.b[m] = tip;
    merges.height[m++] = nearest;
    active--;
    alive[place[tip]!] = alive[active]!;
    place[alive[active]!] = place[tip]!;
    const [a, b] = [size[best]!, size[tip]!];
    for (let k = 0; k < active; k++) {
      const other = alive[k]!;
      if (other === best) continue;
      const [x, y] = [distance[at(best, other)]!, distance[at(tip, other)]!];
      distance[at(best, other)] =
        linkage === 'average' ? (a * x + b * y) / (a + b) : Math.max(x, y);
    }
    size[best] = a + b;
    if (m % STEPS_BETWEEN === 0) advance(ctx, 0.5 + m / n / 2, `merge ${m} of ${n - 1}`);
  }
  return merges;
}

function pairDistances(X: Matrix, ctx: FitContext): Float64Array | Float32Array {
  const { rows: n, columns: d, data } = X;
  const pairs = (n * (n - 1)) / 2;
  // Single precision beyond some 6,000 rows: half the memory, and distances to 7 digits.
  const distance = pairs > 2e7 ? new Float32Array(pairs) : new Float64Array(pairs);
  for (let i = 1, at = 0; i < n; i++) {
    for (let other = 0; other < i; other++) {
      let sum = 0;
      for (let j = 0; j < d; j++) sum += (data[i * d + j]! - data[other * d + j]!) ** 2;
      distance[at++] = Math.sqrt(sum);
    }
    if (i % STEPS_BETWEEN === 0) advance(ctx, (i / n) ** 2 / 2, `distances of ${i} of ${n} rows`);
  }
  return distance;
}

function emptyMerges(n: number): Merges {
  const count = Math.max(0, n - 1);
  return { a: new Int32Array(count), b: new Int32Array(count), height: new Float64Array(count) };
}

/** A chain finds merges out of order: sorted by height, with rows replaced by the nodes they are in by then. */
function sorted({ a, b, height }: Merges, rows: number): Dendrogram {
  const order = Int32Array.from(height.keys()).sort((x, y) => height[x]! - height[y]! || x - y);
  const sets = new Sets(rows);
  const node = Int32Array.from({ length: rows }, (_, i) => i);
  const [left, right] = [new Int32Array(order.length), new Int32Array(order.length)];
  order.forEach((merge, m) => {
    const [x, y] = [sets.find(a[merge]!), sets.find(b[merge]!)];
    [left[m], right[m]] = [Math.min(node[x]!, node[y]!), Math.max(node[x]!, node[y]!)];
    node[sets.join(x, y)] = rows + m;
  });
  return { rows, left, right, height: Float64Array.from(order, (merge) => height[merge]!) };
}

/** The cluster of each row where the tree is cut into `k`; numbered by size, then by first row. */
export function cut({ rows, left, right }: Dendrogram, k: number): Int32Array {
  if (!(Number.isInteger(k) && k >= 1 && k <= rows)) {
    throw invalid(`The tree of ${rows} rows cannot be cut into ${k}; expected 1 to ${rows}.`);
  }
  const sets = new Sets(rows);
  const member = new Int32Array(rows + left.length);
  for (let i = 0; i < rows; i++) member[i] = i;
  for (let m = 0; m < rows - k; m++) {
    member[rows + m] = member[left[m]!]!;
    sets.join(sets.find(member[left[m]!]!), sets.find(member[right[m]!]!));
  }
  const roots = Int32Array.from({ length: rows }, (_, i) => sets.find(i));
  const sizes = new Map<number, number>();
  for (const root of roots) sizes.set(root, (sizes.get(root) ?? 0) + 1);
  const ranked = [...sizes.keys()].toSorted((x, y) => sizes.get(y)! - sizes.get(x)!);
  const number = new Map(ranked.map((root, c) => [root, c]));
  return roots.map((root) => number.get(root)!);
}

class Sets {
  readonly #parent: Int32Array;

  constructor(count: number) {
    this.#parent = Int32Array.from({ length: count }, (_, i) => i);
  }

  find(of: number): number {
    let at = of;
    while (this.#parent[at] !== at) at = this.#parent[at] = this.#parent[this.#parent[at]!]!;
    return at;
  }

  join(a: number, b: number): number {
    this.#parent[b] = a;
    return a;
  }
}
