import { sendNodeContract } from '@gridtokenx/testing-kit/contracts/send-node';
import { ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { type ChainRig, liteRig, surfpoolRig } from '@gridtokenx/testing-kit/oracle/rigs';

// A mint of a page with nothing due lands and mints nothing.
const onRig = async (making: Promise<ChainRig>) => {
  const rig = await making;
  return {
    node: rig.node,
    build: (nonce: number) => rig.builder.mintPage(ZONE, 0, nonce),
    pass: async () => {},
    expire: () => rig.expireBlockhashes(),
    close: () => rig.close(),
  };
};
sendNodeContract('the programs in process', () => onRig(liteRig(1)));
sendNodeContract('a real node over RPC', () => onRig(surfpoolRig(1)));
