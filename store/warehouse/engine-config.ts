import { mkdirSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { WAREHOUSE_DATABASE } from './schema.ts';

/**
 * The embedded engine's own configuration: written anew at each start, next to its data. Its user has grants on the one
 * database only, so that no table function, table engine or database engine reaches a file or a host.
 */
const GRANTS = [
  `GRANT SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP DATABASE, DROP TABLE, DROP VIEW,
   TRUNCATE, OPTIMIZE, SHOW ON ${WAREHOUSE_DATABASE}.*`,
  'GRANT SELECT ON system.*',
  'GRANT TABLE ENGINE ON MergeTree',
];

/** Half of what this machine or container has; one query may take half of that before it spills to disk. */
function memoryBytes(): number {
  const limit = process.constrainedMemory();
  return Math.floor(Math.min(totalmem(), limit > 0 ? limit : Infinity) / 2);
}

/** Writes the files. @returns where the engine keeps its data, and the arguments to open it with */
export function writeEngineConfig(directory: string): { data: string; args: string[] } {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const users = join(directory, 'users.xml');
  const config = join(directory, 'config.xml');
  const memory = memoryBytes();
  const query = Math.floor(memory / 2);
  writeFileSync(
    users,
    `<clickhouse>
  <users><default>
    <password></password>
    <networks><ip>127.0.0.1</ip><ip>::1</ip><ip>::ffff:127.0.0.1</ip></networks>
    <profile>default</profile><quota>default</quota>
    <grants>${GRANTS.map((grant) => `<query>${grant}</query>`).join('')}</grants>
  </default></users>
  <profiles><default>
    <max_memory_usage>${query}</max_memory_usage>
    <max_bytes_before_external_group_by>${Math.floor(query / 2)}</max_bytes_before_external_group_by>
    <max_bytes_before_external_sort>${Math.floor(query / 2)}</max_bytes_before_external_sort>
    <max_query_size>268435456</max_query_size>
    <output_format_json_quote_64bit_integers>0</output_format_json_quote_64bit_integers>
    <constraints>
      <max_memory_usage><readonly/></max_memory_usage>
      <allow_introspection_functions><readonly/></allow_introspection_functions>
    </constraints>
  </default></profiles>
  <quotas><default></default></quotas>
</clickhouse>
`,
    { mode: 0o600 },
  );
  // The pools' defaults are for a server of many cores; merges of our few tables need two threads.
  writeFileSync(
    config,
    `<clickhouse>
  <users_config>${escapeXml(users)}</users_config>
  <max_server_memory_usage>${memory}</max_server_memory_usage>
  <mark_cache_size>134217728</mark_cache_size>
  <background_pool_size>2</background_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
</clickhouse>
`,
    { mode: 0o600 },
  );
  return { data: join(directory, 'chdb'), args: [`--config-file=${config}`] };
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
