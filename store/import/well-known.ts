import { KairosError } from '../../domain/errors.ts';
import { FIELDS, type FieldSpec, type ImportKind, type Mapping } from './mapping.ts';
import type { Table } from './table.ts';

/**
 * Names that columns usually have, so that a plain export needs no mapping. The first that a file has counts. Consent
 * is never taken from a name: a column called "newsletter" is not a proof that somebody agreed.
 */
const CUSTOMER = ['customerid', 'customer', 'userid', 'clientid', 'contactid', 'householdid'];
const TIME = ['timestamp', 'datetime', 'date', 'time', 'at', 'createdat'];
const SKU = ['sku', 'stockcode', 'productid', 'itemid', 'articleid', 'productcode', 'product'];

const NAMES: Readonly<Record<ImportKind, Readonly<Record<string, readonly string[]>>>> = {
  customers: {
    id: ['externalid', ...CUSTOMER, 'id', 'email'],
    email: ['email', 'emailaddress', 'mail'],
    name: ['name', 'fullname', 'customername'],
    country: ['countrycode', 'country'],
    timeZone: ['timezone', 'tz'],
    locale: ['locale', 'language', 'lang'],
    createdAt: ['createdat', 'created', 'signedupat', 'signupdate', 'registeredat', 'joined'],
  },
  products: {
    sku: [...SKU, 'id'],
    title: ['title', 'productname', 'name', 'description'],
    category: ['category', 'producttype', 'productcategory', 'department', 'type'],
    price: ['price', 'unitprice'],
    currency: ['currency'],
    stock: ['stock', 'inventory', 'quantity', 'qty'],
    description: ['description', 'bodyhtml', 'body'],
    url: ['url', 'link'],
  },
  orders: {
    order: [
      'orderid',
      'ordernumber',
      'orderno',
      'order',
      'invoiceno',
      'invoiceid',
      'invoice',
      'transactionid',
      'basketid',
    ],
    customer: CUSTOMER,
    at: ['orderedat', 'orderdate', 'invoicedate', 'transactiontimestamp', ...TIME],
    currency: ['currency'],
    sku: SKU,
    quantity: ['quantity', 'qty', 'units'],
    price: ['unitprice', 'itemprice', 'price'],
    amount: ['amount', 'linetotal', 'salesvalue'],
    category: ['category', 'productcategory'],
  },
  events: {
    type: ['event', 'eventname', 'type', 'name'],
    customer: CUSTOMER,
    at: TIME,
    id: ['messageid', 'eventid', 'id'],
  },
  reviews: {
    sku: SKU,
    customer: CUSTOMER,
    rating: ['rating', 'stars', 'score'],
    text: ['text', 'review', 'comment', 'body'],
    at: ['reviewedat', 'reviewdate', ...TIME],
    id: ['reviewid', 'id'],
  },
  consents: {
    customer: [...CUSTOMER, 'externalid', 'id'],
    granted: ['granted', 'consent', 'optin', 'subscribed'],
    at: ['consentat', 'grantedat', ...TIME],
    source: ['source', 'consentsource'],
  },
};

/** Fields that a flag of the command line can give instead. */
export interface Constants {
  readonly currency?: string | undefined;
  readonly timeZone?: string | undefined;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

/** A mapping from the names of a file's columns. @throws KairosError naming the fields that none of them fits */
export function wellKnownMapping(
  kind: ImportKind,
  path: string,
  table: Table,
  constants: Constants = {},
): Mapping {
  const columns = new Map(table.columns.map(({ name }) => [plain(name), name]));
  const fields: Record<string, FieldSpec> = {};
  const used = new Set<string>();
  for (const [field, names] of Object.entries(NAMES[kind])) {
    const column = names.map((name) => columns.get(name)).find((name) => name !== undefined);
    if (column === undefined) continue;
    fields[field] = column;
    used.add(column);
  }
  if (kind === 'customers' && fields['name'] === undefined) addFullName(fields, columns, used);
  if (fields['currency'] === undefined && constants.currency !== undefined) {
    fields['currency'] = { value: constants.currency };
  }
  if (kind === 'consents' && fields['source'] === undefined) fields['source'] = { value: 'import' };
  demand(kind, path, table, fields);
  const rest = table.columns.map(({ name }) => name).filter((name) => !used.has(name));
  return {
    kind,
    ...(constants.timeZone !== undefined && { format: { timeZone: constants.timeZone } }),
    fields,
    ...(kind === 'customers' && { traits: rest }),
    ...((kind === 'events' || kind === 'reviews') && { properties: rest }),
  };
}

function addFullName(
  fields: Record<string, FieldSpec>,
  columns: ReadonlyMap<string, string>,
  used: Set<string>,
): void {
  const first = columns.get('firstname');
  const last = columns.get('lastname');
  if (first === undefined) return;
  fields['name'] = last === undefined ? first : [{ template: `{${first}} {${last}}` }, first, last];
  for (const column of [first, last]) if (column !== undefined) used.add(column);
}

function demand(
  kind: ImportKind,
  path: string,
  table: Table,
  fields: Readonly<Record<string, FieldSpec>>,
): void {
  const missing = Object.entries(FIELDS[kind])
    .filter(([name, isRequired]) => isRequired && fields[name] === undefined)
    .map(([name]) => name);
  if (kind === 'orders' && fields['price'] === undefined && fields['amount'] === undefined) {
    missing.push('price');
  }
  if (missing.length === 0) return;
  const all = table.columns.map(({ name }) => (name.length > 40 ? `${name.slice(0, 39)}…` : name));
  const names = `${all.slice(0, 30).join(', ')}${all.length > 30 ? ', …' : ''}`;
  const flag = missing.includes('currency') ? ' (--currency gives the currency)' : '';
  throw new KairosError(
    'IMPORT_INVALID',
    `${path}: no column is known to be ${missing.join(' or ')} of ${kind}${flag}; its columns are ${names}. Say which with --map, and see --guess.`,
    { missing },
  );
}
