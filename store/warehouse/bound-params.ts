/** Everything that a person wrote becomes a bound parameter of a query; the same value is bound once. */
export class BoundParams {
  readonly values: Record<string, unknown> = {};
  readonly #names = new Map<string, string>();

  add(type: string, value: unknown): string {
    const key = `${type} ${JSON.stringify(value)}`;
    let name = this.#names.get(key);
    if (name === undefined) {
      name = `p${this.#names.size}`;
      this.#names.set(key, name);
      this.values[name] = value;
    }
    return `{${name}:${type}}`;
  }

  instant(ms: number): string {
    return `fromUnixTimestamp64Milli(${this.add('Int64', ms)}, 'UTC')`;
  }
}
