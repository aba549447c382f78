import { sendNodeContract } from '@gridtokenx/testing-kit/contracts/send-node';
import { ModelSendNode } from '@gridtokenx/testing-kit/send-node';

sendNodeContract('in memory', async () => {
  const node = new ModelSendNode();
  return {
    node,
    build: async (nonce) => node.build(1, nonce),
    pass: async () => node.pass(1),
    expire: async () => node.expire(),
    close: () => {},
  };
});
