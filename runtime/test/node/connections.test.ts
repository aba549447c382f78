import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { Rates } from '../../src/core/rates.js';
import { addressOf, ConnectionTable, isLoopback, type TurnedAway } from '../../src/node/connections.js';

class Fake extends EventEmitter {
  readonly remoteAddress: string;
  isDestroyed = false;
  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }
  destroy(): void {
    this.isDestroyed = true;
    this.emit('close');
  }
}

const waits = () => true;
const works = () => false;

test('the oldest that only waits makes room, from the same address first', () => {
  const reasons: TurnedAway[] = [];
  const table = new ConnectionTable<Fake>({ connections: 4, perAddress: 2 }, (why) => reasons.push(why));
  const [a1, a2, a3] = [new Fake('10.0.0.1'), new Fake('10.0.0.1'), new Fake('10.0.0.1')];
  const other = new Fake('10.0.0.2');
  expect(table.add(other, waits)).toBe(true);
  expect(table.add(a1, works)).toBe(true);
  expect(table.add(a2, waits)).toBe(true);
  expect(table.add(a3, waits)).toBe(true);
  expect([a1, a2, a3, other].map(({ isDestroyed }) => isDestroyed)).toEqual([false, true, false, false]);
  expect(reasons).toEqual(['address']);
  // Full in all: the oldest of everybody.
  table.add(new Fake('10.0.0.3'), works);
  table.add(new Fake('10.0.0.4'), works);
  expect(other.isDestroyed).toBe(true);
  expect(table.size).toBe(4);
});

test('a newcomer is closed where nobody only waits', () => {
  const table = new ConnectionTable<Fake>({ connections: 1, perAddress: 1 });
  const first = new Fake('10.0.0.1');
  table.add(first, works);
  const second = new Fake('10.0.0.2');
  expect(table.add(second, waits)).toBe(false);
  expect([first.isDestroyed, second.isDestroyed]).toEqual([false, true]);
});

test('both tables are empty again when all are gone', () => {
  const table = new ConnectionTable<Fake>({ connections: 100, perAddress: 3 });
  const sockets = Array.from({ length: 5_000 }, (_, i) => new Fake(`10.0.${i % 256}.${i % 7}`));
  for (const socket of sockets) table.add(socket, waits);
  expect(table.size).toBe(100);
  for (const socket of sockets) socket.destroy();
  expect([table.size, table.addresses]).toEqual([0, 0]);
});

test('an IPv6 site counts as one address', () => {
  expect(addressOf('::ffff:10.1.2.3')).toBe('10.1.2.3');
  expect(addressOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
  expect(addressOf('2001:db8:1:2::9')).toBe(addressOf('2001:db8:1:2:3:4:5:6'));
  expect(addressOf('2001:db8::9')).toBe('2001:db8:0:0::/64');
  expect(addressOf('::1')).toBe('0:0:0:0::/64');
  expect(addressOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
  const own = ['127.0.0.1', '127.9.9.9', '::ffff:127.0.0.1', '::1'];
  expect(own.map((address) => isLoopback(addressOf(address)))).toEqual([true, true, true, true]);
  expect(['10.0.0.1', '2001:db8::1'].map((address) => isLoopback(addressOf(address)))).toEqual([false, false]);
});

test('rates refill with time, and their table is bounded', () => {
  let now = 0;
  const rates = new Rates({ perSecond: 2, burst: 3, names: 100 }, () => now);
  expect([1, 2, 3, 4].map(() => rates.allow('a'))).toEqual([true, true, true, false]);
  now += 500;
  expect([rates.allow('a'), rates.allow('a'), rates.allow('b')]).toEqual([true, false, true]);
  for (let i = 0; i < 10_000; i++) rates.allow(`name ${i}`);
  expect(rates.size).toBe(100);
});
