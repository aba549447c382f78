import { describe, expect, it } from 'vitest';
import { parseProfile } from '#edge/profiles/parse.js';
import { Arrivals } from '../src/fleet/arrivals.js';
import { answerTo, profileText, REGISTERS, registersAt } from '../src/fleet/meter-table.js';
import { takeMetric, telegrafConfig } from '../src/fleet/telegraf.js';

/** A request of Modbus TCP with the transaction id 0x0102 to unit 9. */
const request = (fn: number, address: number, count: number) =>
  Buffer.from([1, 2, 0, 0, 0, 6, 9, fn, address >> 8, address & 255, count >> 8, count & 255]);

describe('a simulated meter of the fleet', () => {
  it('answers reads of its table with the id and unit of the request', () => {
    const whole = Buffer.concat([request(4, 0, 2), request(3, 29, 1)]);
    const registers = registersAt(0x1_0002);
    const first = answerTo(whole, registers);
    expect(first?.answer.toString('hex')).toBe('0102000000070904' + '0400010002');
    const second = answerTo(whole.subarray(first?.used), registers);
    expect([second?.answer.toString('hex'), second?.used]).toEqual(['0102000000050903' + '021388', 12]);
  });

  it('waits for the rest of a request, and refuses what it does not have', () => {
    const registers = registersAt(1);
    expect(answerTo(request(4, 0, 2).subarray(0, 11), registers)).toBeNull();
    const codes = [request(4, 29, 2), request(6, 0, 1)].map((bytes) => [...(answerTo(bytes, registers)?.answer ?? [])]);
    expect(codes.map((answer) => answer.slice(7))).toEqual([
      [0x84, 2],
      [0x86, 1],
    ]);
  });

  it('has a profile whose poll reaches from its first register to its last', () => {
    const profile = parseProfile(profileText(), 'bench-fleet.yaml');
    if (profile.protocol !== 'modbus') throw new Error('expected plain registers');
    const addresses = profile.registers.map(({ address }) => address);
    expect([Math.min(...addresses), Math.max(...addresses)]).toEqual([0, REGISTERS - 1]);
  });
});

describe('arrivals', () => {
  it('name the seconds of each meter without a value', () => {
    const arrivals = new Arrivals();
    for (const second of [10, 11, 13]) arrivals.value('a', second);
    arrivals.value('b', 12);
    expect(arrivals.missing({ from: 10, to: 14 })).toEqual([[12], [10, 11, 13]]);
    expect([arrivals.firstSecond(12), arrivals.firstSecond(14)]).toEqual([12, null]);
  });

  it('count what is lost, sent again, and sent with another content', () => {
    const arrivals = new Arrivals();
    const fresh = [1, 2, 5, 5].map((seq) => arrivals.message('a', seq, `content ${seq}`));
    expect(fresh).toEqual([true, true, true, false]);
    expect([arrivals.lost(), arrivals.repeated, arrivals.contradicted]).toEqual([2, 1, 0]);
    expect(arrivals.mark('a')).toEqual({ storedThrough: 2, highest: 5 });
    arrivals.declare('a', 3, 2);
    expect([arrivals.lost(), arrivals.mark('a').storedThrough]).toEqual([0, 5]);
    arrivals.message('a', 2, 'another content');
    expect(arrivals.contradicted).toBe(1);
  });
});

describe('Telegraf as a peer', () => {
  it('reads as many values of each meter as the gateway', () => {
    const text = telegrafConfig([7001, 7002], 1883, { strategy: 'memory', folder: '/none' });
    expect(text.match(/name = "r\d+"/g)?.length).toBe(2 * REGISTERS);
    expect(text.match(/127\.0\.0\.1:\d+/g)).toEqual(['127.0.0.1:7001', '127.0.0.1:7002', '127.0.0.1:1883']);
    expect(text).not.toContain('buffer_directory');
  });

  it('counts a metric with every value only', () => {
    const arrivals = new Arrivals();
    const metric = (fields: number) =>
      Buffer.from(
        JSON.stringify({
          tags: { meter: '3' },
          timestamp: 100,
          fields: Object.fromEntries(Array.from({ length: fields }, (_, at) => [`r${at}`, at])),
        }),
      );
    takeMetric(metric(REGISTERS - 1), arrivals);
    expect(arrivals.readings).toBe(0);
    takeMetric(metric(REGISTERS), arrivals);
    expect(arrivals.missing({ from: 100, to: 102 })).toEqual([[101]]);
  });
});
