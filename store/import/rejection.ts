/** Why a row was not taken. Words without values: they are counted, shown and written into the rejected file. */
export type Reason =
  | 'missing'
  | 'not a number'
  | 'not a whole number'
  | 'not a date'
  | 'date out of range'
  | 'not yes or no'
  | 'out of range'
  | 'longer than 200 characters'
  | 'an event that only Kairos writes'
  | 'customer not known'
  | 'wrong number of columns'
  | 'quote never closed'
  | 'quote not doubled'
  | 'line too long'
  | 'control characters'
  | 'not in the encoding of the file'
  | 'negative'
  | 'repeated'
  | 'nearly repeated'
  | 'cancelled'
  | 'product not known'
  | 'address that cannot be mailed to'
  | 'not JSON'
  | 'not an object';

export class Rejection {
  readonly field: string;
  readonly reason: Reason;

  constructor(field: string, reason: Reason) {
    this.field = field;
    this.reason = reason;
  }

  /** Such as "at: not a date". */
  get text(): string {
    return this.field === '' ? this.reason : `${this.field}: ${this.reason}`;
  }
}
