import { sendNodeContract } from '@gridtokenx/testing-kit/contracts/send-node';
import { ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { type ChainFixture, liteFixture, surfpoolFixture } from '@gridtokenx/testing-kit/oracle/fixtures';

// A mint of a page with nothing due lands and mints nothing.
const onFixture = async (making: Promise<ChainFixture>) => {
  const fixture = await making;
  return {
    node: fixture.node,
    build: (nonce: number) => fixture.builder.mintPage(ZONE, 0, nonce),
    pass: async () => {},
    expire: () => fixture.expireBlockhashes(),
    close: () => fixture.close(),
  };
};
sendNodeContract('the programs in process', () => onFixture(liteFixture(1)));
sendNodeContract('a real node over RPC', () => onFixture(surfpoolFixture(1)));
