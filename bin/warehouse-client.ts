import { createWarehouse, type Warehouse } from '../store/warehouse/client.ts';
import type { Config } from './config.ts';

export function openWarehouse(config: Config): Warehouse {
  return createWarehouse({ url: config.warehouse.url, key: config.warehouse.key.reveal() });
}
