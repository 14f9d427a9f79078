import { describe, expect, it } from 'vitest';
import { postgresSource, warehouseSource } from '../../store/report-source.ts';
import { projectAll } from '../support/projection.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { db, run, useShop } from './shop.ts';

useShop();

const ORDERS = `orderId,customer,date,sku,quantity,price,currency
o1,k1,2026-03-01,A,1,10,EUR
o1,k1,2026-03-01,B,2,5,EUR
o1,k1,2026-03-01,C,-1,4,EUR
o2,k2,2026-03-02,A,1,10,EUR
o3,k3,2026-03-03,A,1,10,EUR
`;

/** What is true now by the log: rows that no later one replaces. */
async function truth(): Promise<string[]> {
  const { rows } = await db.query<{ line: string }>(
    `select format('%s %s %s %s', type, external_id, properties ->> 'total', message_id) as line
     from event left join person p on p.id = person_id
     where type like 'Order %' and not exists (select from event_superseded s where s.event_id = event.id) order by 1`,
  );
  return rows.map(({ line }) => line);
}

const logLength = async (): Promise<number> =>
  (await db.query<{ n: number }>(`select count(*) as n from event where type like '%Order%'`))
    .rows[0]!.n;

describe('a corrected file', () => {
  it('changes what it corrects, adds to the log only, and can be imported twice', async () => {
    expect(await run('orders', ORDERS)).toMatchObject({ added: 4, changed: 0, unchanged: 0 });
    const first = await truth();
    expect(first).toEqual([
      'Order Completed k1 20 order:o1',
      'Order Completed k2 10 order:o2',
      'Order Completed k3 10 order:o3',
      'Order Refunded k1 4 refund:o1',
    ]);
    const corrected = ORDERS.replace('o2,k2,2026-03-02,A,1,10', 'o2,k4,2026-03-02,A,3,10');
    expect(await run('orders', corrected)).toMatchObject({ added: 0, changed: 1, unchanged: 3 });
    expect(await truth()).toEqual([
      'Order Completed k1 20 order:o1',
      'Order Completed k3 10 order:o3',
      'Order Completed k4 30 order:o2~2',
      'Order Refunded k1 4 refund:o1',
    ]);
    expect(await logLength()).toBe(5);
    expect(await run('orders', corrected)).toMatchObject({ added: 0, changed: 0, unchanged: 4 });
    expect(await logLength()).toBe(5);
    // And back again: a correction of a correction.
    expect(await run('orders', ORDERS)).toMatchObject({ added: 0, changed: 1, unchanged: 3 });
    expect(await truth()).toContain('Order Completed k2 10 order:o2~3');
  });

  it('takes back a return that was none, but not one of another file', async () => {
    await run('orders', ORDERS);
    const corrected = ORDERS.replace('C,-1,4', 'C,1,4');
    expect(await run('orders', corrected)).toMatchObject({
      changed: 1,
      notes: { 'taken back by the corrected file': 1 },
    });
    expect(await truth()).toEqual([
      'Order Completed k1 24 order:o1~2',
      'Order Completed k2 10 order:o2',
      'Order Completed k3 10 order:o3',
    ]);
    await run(
      'orders',
      'orderId,customer,date,sku,quantity,price,currency\no2,k2,2026-04-01,A,-1,10,EUR\n',
      {
        name: 'returns.csv',
      },
    );
    expect(await run('orders', corrected)).toMatchObject({ added: 0, changed: 0, unchanged: 3 });
    expect(await truth()).toContain('Order Refunded k2 10 refund:o2');
    // The return that was taken back comes again, as the next revision.
    expect(await run('orders', ORDERS)).toMatchObject({ changed: 2, unchanged: 2 });
    expect(await truth()).toContain('Order Refunded k1 4 refund:o1~2');
  });

  it('corrects events and reviews that have an id; of two rows with one id the first counts', async () => {
    const reviews = 'sku,customer,rating,text,date\nA,k1,5,good,2026-03-01\nB,k1,4,,2026-03-01\n';
    await run('reviews', reviews);
    const changed = await run('reviews', reviews.replace('5,good', '2,bad'));
    expect(changed).toMatchObject({ added: 0, changed: 1, unchanged: 1 });
    const events =
      'id,event,customer,time,n\n1,Seen,k1,2026-03-01,1\n1,Seen,k1,2026-03-01,2\n2,Seen,k1,2026-03-01,1\n';
    const twice = {
      read: 3,
      accepted: 2,
      duplicates: 1,
      notes: { 'id that stands twice with other values, the first kept': 1 },
    };
    expect(await run('events', events)).toMatchObject({ ...twice, added: 2 });
    expect(await run('events', events)).toMatchObject({
      ...twice,
      added: 0,
      changed: 0,
      unchanged: 2,
    });
  });

  it('reaches the warehouse and the report, also where the warehouse is made again', async () => {
    const warehouse = await startWarehouse();
    try {
      const project = async (): Promise<void> => {
        await projectAll(db, warehouse.warehouse);
      };
      const money = async (source = warehouseSource(warehouse.warehouse)) => {
        const found: Record<string, number> = {};
        const query = { fromMs: Date.UTC(2026, 0, 1), toMs: Date.UTC(2027, 0, 1) };
        for (const event of ['Order Completed', 'Order Refunded', 'Product Purchased']) {
          found[event] = 0;
          for await (const rows of source.goals({ event, ...query })) {
            for (const { value } of rows) found[event]! += value;
          }
        }
        return found;
      };
      await run('orders', ORDERS);
      await project();
      expect(await money()).toMatchObject({
        // Less what was refunded.
        'Order Completed': 36,
        'Order Refunded': 4,
      });
      await run(
        'orders',
        ORDERS.replace('C,-1,4', 'C,1,4').replace('o3,k3,2026-03-03,A,1', 'o3,k3,2026-03-03,A,7'),
      );
      await project();
      const right = { 'Order Completed': 104, 'Order Refunded': 0 };
      expect(await money()).toMatchObject(right);
      expect(await money(postgresSource(db))).toMatchObject(right);
      const counts = await warehouse.warehouse.query<{ n: number }>(
        "SELECT sum(quantity) AS n FROM event WHERE type = 'Product Purchased'",
      );
      expect(counts).toEqual([{ n: 12 }]);
      await warehouse.warehouse.reset();
      await db.query(
        `update projector set xid = '0'::xid8, id = 0, next_xid = null, next_id = null`,
      );
      await project();
      expect(await money()).toMatchObject(right);
    } finally {
      await warehouse.stop();
    }
  });
});
