import { expect, test } from 'vitest';
import { certificateMetrics, Metrics } from '../../src/node/index.js';

test('every name begins with gtx_ and the service', async () => {
  const metrics = new Metrics('gateway');
  metrics.counter('polls', 'Polls of a meter', ['meter']).inc({ meter: 'm' });
  metrics.gauge('online', '1 while online', () => 1);
  metrics.gauge('set', 'Set by hand').set(4);
  metrics.histogram('commit_seconds', 'Time of a commit', [0.1, 1]).observe(0.5);
  metrics.process();
  const text = await metrics.text();
  expect(text).toContain('gtx_gateway_polls_total{meter="m"} 1');
  expect(text).toContain('gtx_gateway_online 1');
  expect(text).toContain('gtx_gateway_set 4');
  expect(text).toContain('gtx_gateway_commit_seconds_bucket{le="1"} 1');
  expect(text).toContain('gtx_gateway_process_resident_memory_bytes');
  for (const line of text.split('\n')) expect(line).toMatch(/^(# (HELP|TYPE) )?gtx_gateway_|^$/);
});

test('names that are none, or that are taken, are defects', () => {
  expect(() => new Metrics('Gateway')).toThrow('no name of a service');
  const metrics = new Metrics('test');
  expect(() => metrics.gauge('Two Words', '')).toThrow('no name of a metric');
  metrics.gauge('one', 'help');
  expect(() => metrics.gauge('one', 'help')).toThrow('already been registered');
});

test('a certificate is shown with its days and what became of renewals', async () => {
  const metrics = new Metrics('broker');
  const { renewal, watch } = certificateMetrics(metrics);
  const certificate = { expiryDays: 15.5, refused: null as string | null };
  watch(certificate);
  renewal('taken');
  renewal('refused');
  certificate.refused = 'half a file';
  const text = await metrics.text();
  expect(text).toMatch(/^gtx_broker_certificate_expiry_days 15\.5$/m);
  expect(text).toMatch(/^gtx_broker_certificate_refused 1$/m);
  expect(text).toMatch(/^gtx_broker_certificate_renewals_total\{result="taken"\} 1$/m);
  expect(text).toMatch(/^gtx_broker_certificate_renewals_total\{result="refused"\} 1$/m);
});
