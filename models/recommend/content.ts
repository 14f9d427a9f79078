import { checkJson, invalidJson, namesOf } from '../check.ts';
import { pack, unpack } from '../codec.ts';
import type { ModelJson } from '../estimator.ts';
import { tokenise } from '../text/tokenise.ts';
import { peopleOf } from './interactions.ts';
import type { Interactions } from './interactions.ts';
import { FittedRecommender } from './recommender.ts';
import type { Profile, RecommenderEstimator, Why } from './recommender.ts';

/** Items × words in compressed rows: BM25 weights, each row of length 1. */
interface Words {
  readonly start: Int32Array;
  readonly word: Int32Array;
  readonly weight: Float64Array;
  readonly words: number;
}

// Robertson & Zaragoza 2009: how fast a repeated word stops counting, and how much long texts are held back.
const K1 = 1.2;
const B = 0.75;

/**
 * What reads like what the person took: cosine of BM25 vectors over title, description and categories. It needs no
 * buyers, so a new product is found by it; give a catalogue's texts by item.
 */
export class Content implements RecommenderEstimator {
  readonly kind = 'content';
  readonly params = {};
  readonly #text: ReadonlyMap<string, string>;

  constructor(text: ReadonlyMap<string, string>) {
    this.#text = text;
  }

  /** Products of the catalogue that nobody took yet are learnt too. */
  fit(X: Interactions): FittedContent {
    const names = [...new Set([...X.items, ...this.#text.keys()])].toSorted();
    const known = new Map(X.items.map((item, at) => [item, at]));
    const counts = peopleOf(X);
    const people = Int32Array.from(names, (name) => counts[known.get(name) ?? -1] ?? 0);
    const documents = names.map((name) => tokenise(this.#text.get(name) ?? ''));
    return new FittedContent(names, people, wordsOf(documents));
  }
}

function wordsOf(documents: readonly (readonly string[])[]): Words {
  const inDocuments = new Map<string, number>();
  let length = 0;
  for (const document of documents) {
    length += document.length / documents.length;
    for (const word of new Set(document)) inDocuments.set(word, (inDocuments.get(word) ?? 0) + 1);
  }
  const place = new Map([...inDocuments.keys()].toSorted().map((word, at) => [word, at]));
  const start = new Int32Array(documents.length + 1);
  const word: number[] = [];
  const weight: number[] = [];
  documents.forEach((document, i) => {
    const times = new Map<string, number>();
    for (const one of document) times.set(one, (times.get(one) ?? 0) + 1);
    const row = [...times].map(([one, count]) => {
      const n = inDocuments.get(one)!;
      const rarity = Math.log(1 + (documents.length - n + 0.5) / (n + 0.5));
      const held = K1 * (1 - B + (B * document.length) / length);
      return { at: place.get(one)!, value: (rarity * count * (K1 + 1)) / (count + held) };
    });
    row.sort((a, b) => a.at - b.at);
    const norm = Math.sqrt(row.reduce((sum, { value }) => sum + value ** 2, 0));
    for (const { at, value } of row) {
      word.push(at);
      weight.push(value / norm);
    }
    start[i + 1] = word.length;
  });
  return {
    start,
    word: Int32Array.from(word),
    weight: Float64Array.from(weight),
    words: place.size,
  };
}

export class FittedContent extends FittedRecommender {
  readonly kind = 'content';
  readonly #words: Words;

  constructor(names: readonly string[], people: Int32Array, words: Words) {
    super(names, people);
    this.#words = words;
  }

  static fromJSON(json: ModelJson): FittedContent {
    checkJson(json, 'content', 1);
    const names = namesOf(json);
    const start = unpack(json['start'], 'i32', names.length + 1);
    const word = unpack(json['word'], 'i32', start.at(-1));
    if (word.some((at) => at < 0)) throw invalidJson('content', 'a word is unknown');
    const weight = unpack(json['weight'], 'f64', word.length);
    const words = word.reduce((most, at) => Math.max(most, at + 1), 0);
    const people = unpack(json['people'], 'i32', names.length);
    return new FittedContent(names, people, { start, word, weight, words });
  }

  score({ item, weight }: Profile): Float64Array {
    const taste = new Float64Array(this.#words.words);
    for (let e = 0; e < item.length; e++) this.#add(taste, item[e]!, weight[e]!);
    return Float64Array.from(this.names, (_, i) => this.#dot(taste, i));
  }

  shares({ item, weight }: Profile, to: number): Float64Array {
    const text = new Float64Array(this.#words.words);
    this.#add(text, to, 1);
    return Float64Array.from(item, (from, e) => weight[e]! * this.#dot(text, from));
  }

  override why(profile: Profile, item: number): Why {
    const why = super.why(profile, item);
    return why.because.length > 0 ? { ...why, signal: 'description' } : why;
  }

  #add(taste: Float64Array, item: number, times: number): void {
    const { start, word, weight } = this.#words;
    for (let e = start[item]!; e < start[item + 1]!; e++) taste[word[e]!]! += times * weight[e]!;
  }

  #dot(taste: Float64Array, item: number): number {
    const { start, word, weight } = this.#words;
    let sum = 0;
    for (let e = start[item]!; e < start[item + 1]!; e++) sum += taste[word[e]!]! * weight[e]!;
    return sum;
  }

  toJSON(): ModelJson {
    const { start, word, weight } = this.#words;
    return {
      kind: this.kind,
      format: 1,
      names: [...this.names],
      people: pack(this.people),
      start: pack(start),
      word: pack(word),
      weight: pack(weight),
    };
  }
}
