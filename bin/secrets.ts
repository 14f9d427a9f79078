import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { KairosError } from '../domain/errors.ts';
import { writeFileAtomically } from './supervisor/files.ts';

/** A value that no log line, error message or JSON shows by accident; `reveal()` is the only way to it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

/** A signing key of tracked links with its id, so that an old link still verifies after a new key came. */
export interface LinkKey {
  id: string;
  /** 32 bytes, base64url. */
  key: Secret;
}

/** Everything random that one data folder keeps: made at its first start, kept across restarts and resets. */
export interface Secrets {
  /** PostgreSQL's superuser: used by the supervisor only. */
  postgresSuperuser: Secret;
  /** PostgreSQL's role `kairos`, which owns the database and nothing else. */
  postgres: Secret;
  warehouse: Secret;
  admin: Secret;
  /** The first signs; all verify. */
  links: readonly LinkKey[];
  /** Derives offer codes; 32 bytes, base64url. */
  codes: Secret;
  /** The key that the shop's own systems send events with. */
  write: Secret;
  /** Seals the secrets of webhooks in the database; 32 bytes, base64url. */
  vault: Secret;
}

interface SecretsFile {
  postgresSuperuser: string;
  postgres: string;
  warehouse: string;
  admin: string;
  links: { id: string; key: string }[];
  codes: string;
  write: string;
  vault: string;
}

const random = (): string => randomBytes(32).toString('base64url');

/** Reads the folder's secrets, creating those that are missing. The file has mode 0600. */
export function loadSecrets(dataDir: string): Secrets {
  const path = join(dataDir, 'secrets.json');
  const known = existsSync(path) ? parse(path) : {};
  const complete: SecretsFile = {
    postgresSuperuser: known.postgresSuperuser ?? random(),
    postgres: known.postgres ?? random(),
    warehouse: known.warehouse ?? random(),
    admin: known.admin ?? random(),
    links: known.links?.length ? known.links : [{ id: 'k1', key: random() }],
    codes: known.codes ?? random(),
    write: known.write ?? random(),
    vault: known.vault ?? random(),
  };
  if (JSON.stringify(complete) !== JSON.stringify(known)) {
    writeFileAtomically(path, `${JSON.stringify(complete, null, 2)}\n`, 0o600);
  } else {
    chmodSync(path, 0o600);
  }
  return {
    postgresSuperuser: new Secret(complete.postgresSuperuser),
    postgres: new Secret(complete.postgres),
    warehouse: new Secret(complete.warehouse),
    admin: new Secret(complete.admin),
    links: complete.links.map(({ id, key }) => ({ id, key: new Secret(key) })),
    codes: new Secret(complete.codes),
    write: new Secret(complete.write),
    vault: new Secret(complete.vault),
  };
}

/** A new signing key with the next id, and none of the old ones: what was signed before is void. */
export function replaceLinkKeys(dataDir: string): void {
  const path = join(dataDir, 'secrets.json');
  if (!existsSync(path)) return;
  const known = parse(path);
  const last = Math.max(0, ...(known.links ?? []).map(({ id }) => Number(id.slice(1))));
  const links = [{ id: `k${(last % 255) + 1}`, key: random() }];
  writeFileAtomically(path, `${JSON.stringify({ ...known, links }, null, 2)}\n`, 0o600);
}

function parse(path: string): Partial<SecretsFile> {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Partial<SecretsFile>;
  } catch {
    throw new KairosError(
      'CONFIG_INVALID',
      `${path} is not JSON: put back your copy of it. Without it links in sent mails no longer work, ` +
        'and the database of this folder cannot be opened.',
    );
  }
}
