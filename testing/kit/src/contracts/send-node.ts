import type { SendNode, SignedTransaction } from '@gridtokenx/chain-sender';
import { beforeAll, describe, expect, it } from 'vitest';
import { reached } from '../reached.js';

/** A node, and what the suite needs to drive its chain. */
export interface SendNodeFixture {
  readonly node: SendNode<unknown>;
  /** Builds a signed transaction that lands; a different one for each nonce. */
  build(nonce: number): Promise<SignedTransaction>;
  /** Lets blocks pass. */
  pass(): Promise<void>;
  /** Expires all blockhashes known until now. */
  expire(): Promise<void>;
  close(): void;
}

/** Tests everything that a sender relies on, with any node. */
export function sendNodeContract(name: string, make: () => Promise<SendNodeFixture>): void {
  describe(`a node to send to: ${name}`, () => {
    let fixture: SendNodeFixture;
    beforeAll(async () => {
      fixture = await make();
      return () => fixture.close();
    });
    const landed = async (signature: string) => {
      await fixture.pass();
      return (await fixture.node.outcome(signature)).kind === 'landed';
    };

    it('knows nothing of what was not sent, and its blockhash is good', async () => {
      const { signature, ...intent } = await fixture.build(1);
      expect(await fixture.node.outcome(signature)).toEqual({ kind: 'unknown' });
      expect(await fixture.node.blockhashState(intent)).toBe('valid');
    });

    it('lands what is sent; the same bytes again change nothing', async () => {
      const { raw, signature } = await fixture.build(2);
      await fixture.node.send(raw);
      await reached('it lands', () => landed(signature));
      const first = await fixture.node.outcome(signature);
      await fixture.node.send(raw);
      await fixture.pass();
      expect(await fixture.node.outcome(signature)).toEqual(first);
    });

    it('says that a blockhash is gone, and takes nothing with it', async () => {
      const { raw, signature, ...intent } = await fixture.build(3);
      await fixture.expire();
      expect(await fixture.node.blockhashState(intent)).toBe('expired');
      await fixture.node.send(raw);
      await fixture.pass();
      expect(await fixture.node.outcome(signature)).toEqual({ kind: 'unknown' });
    });

    it('does not know a blockhash that never was', async () => {
      const { lastValidHeight } = await fixture.build(4);
      const use = { blockhash: '11111111111111111111111111111112', lastValidHeight };
      expect(await fixture.node.blockhashState(use)).toBe('unfamiliar');
    });
  });
}
